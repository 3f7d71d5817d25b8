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
