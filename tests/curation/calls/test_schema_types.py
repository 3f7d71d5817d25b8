"""Type names of programming languages in schemas."""

import json

import pytest

from curation.calls.schema_types import repair_types


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("dict", "object"),
        ("float", "number"),
        ("tuple", "array"),
        ("String", "string"),
        ("ArrayList", "array"),
    ],
)
def test_a_type_name_becomes_json_schemas(name, right):
    assert repair_types({"type": name}) == ({"type": right}, 1)


def test_any_leaves_every_type_open():
    assert repair_types({"type": "any", "description": "x"}) == ({"description": "x"}, 1)
    assert repair_types({"type": ["string", "any"]}) == ({}, 1)


def test_schemas_are_found_wherever_they_may_stand():
    schema = {
        "type": "dict",
        "properties": {"a": {"type": "tuple", "items": {"type": "float"}}},
        "anyOf": [{"type": "int"}, {"not": {"type": "str"}}],
        "$defs": {"d": {"additionalProperties": {"type": "bool"}}},
    }
    repaired, count = repair_types(schema)
    assert count == 6
    assert not any(
        f'"{name}"' in json.dumps(repaired) for name in ("dict", "tuple", "float", "int", "str", "bool")
    )


def test_data_and_parameters_called_type_are_left_alone():
    schema = {
        "type": "object",
        "properties": {"type": {"enum": ["dict", "float"], "default": {"type": "dict"}}},
        "examples": [{"type": "float"}],
    }
    repaired, count = repair_types(schema)
    assert count == 0
    assert repaired is schema


def test_unknown_names_stay_for_the_validator_to_refuse():
    assert repair_types({"type": "email"}) == ({"type": "email"}, 0)


def test_a_list_of_names_keeps_its_order_and_loses_repeats():
    assert repair_types({"type": ["float", "number", "None"]}) == ({"type": ["number", "null"]}, 2)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            {"type": "number", "exclusiveMinimum": 0},
        ),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": False}, {"type": "number", "maximum": 9}),
        (
            {
                "properties": {"a": {"type": "string", "required": True}, "b": {"required": False}},
                "required": ["c"],
            },
            {"properties": {"a": {"type": "string"}, "b": {}}, "required": ["c", "a"]},
        ),
    ],
)
def test_what_openapi_says_becomes_what_it_means(said, meant):
    repaired, count = repair_types({"type": "object", "properties": {"x": said}})
    assert repaired["properties"]["x"] == meant
    assert count == 2 if "properties" in said else count == 1
    assert repair_types(repaired) == (repaired, 0)


@pytest.mark.parametrize(
    "schema",
    [
        {"nullable": True},
        {"type": "string", "nullable": False},
        {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "properties": {"a": {"minimum": 0, "exclusiveMinimum": True}},
        },
        {"properties": {"required": {"type": "boolean"}}, "required": ["required"]},
    ],
)
def test_what_means_the_same_in_json_schema_stays(schema):
    assert repair_types(schema) == (schema, 0)
