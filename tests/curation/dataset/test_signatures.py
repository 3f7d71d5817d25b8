"""Tools that are offered under one name with several sets of parameters."""

import json

import polars as pl
import pytest

from curation.dataset.signatures import Drift, Signature, drifting, signatures_of


def tool(name: str, *required: str, optional: tuple[str, ...] = (), key: str = "parameters") -> dict:
    properties = {one: {"type": "string"} for one in (*required, *optional)}
    return {"name": name, key: {"type": "object", "properties": properties, "required": list(required)}}


def split_of(*rows: tuple[str, list[dict] | None]) -> pl.LazyFrame:
    """A split of (source, tools)."""
    return pl.LazyFrame(
        {
            "tools": [None if tools is None else json.dumps(tools) for _, tools in rows],
            "source": [source for source, _ in rows],
            "repeat": [1] * len(rows),
        },
        schema={"tools": pl.String, "source": pl.String, "repeat": pl.UInt16},
    )


def drifts(*rows: tuple[str, list[dict] | None]) -> list[Drift]:
    """The drifting tools of rows, half of them held out."""
    return drifting({"train": split_of(*rows[::2]), "eval": split_of(*rows[1::2])})


def test_a_name_with_two_sets_of_parameters_drifts_within_a_source_and_across():
    rows = [
        ("web", [tool("weather", "city"), tool("time")]),
        ("web", [tool("weather", "city")]),
        ("app", [tool("weather", "city")]),
        ("app", [tool("weather", "place", "day"), tool("time")]),
        ("talk", None),
    ]
    most = Signature((("city", True),), {"app": 1, "web": 2})
    other = Signature((("day", True), ("place", True)), {"app": 1})
    assert drifts(*rows) == [Drift("weather", (most, other))]
    assert (drifts(*rows)[0].rows, drifts(*rows)[0].sources) == (4, ["app", "web"])


def test_a_parameter_that_is_required_only_here_and_there_drifts():
    (drift,) = drifts(("web", [tool("f", "a")]), ("web", [tool("f", optional=("a",))]))
    assert {one.parameters for one in drift.signatures} == {(("a", True),), (("a", False),)}


def test_order_wrapping_types_and_descriptions_do_not_drift():
    wrapped = {"type": "function", "function": tool("f", "b", "a")}
    numbers = tool("f", "a", "b", key="input_schema")
    numbers["input_schema"]["properties"]["a"] = {"type": "integer", "description": "how many"}
    assert not drifts(("web", [tool("f", "a", "b")]), ("web", [wrapped]), ("app", [numbers]))


def test_copies_that_the_mixture_makes_count_once():
    one = split_of(("web", [tool("f", "a")]), ("web", [tool("f", "b")]))
    copies = pl.concat([one, one.with_columns(pl.lit(2, pl.UInt16).alias("repeat"))])
    (drift,) = drifting({"train": copies, "eval": split_of()})
    assert drift.rows == 2


@pytest.mark.parametrize(
    "tools", ["[", "{}", "7", "null", '[null, 3, "f", {"name": 4}, {"function": "f"}, {"parameters": {}}]']
)
def test_what_is_no_definition_has_no_signature(tools):
    assert not list(signatures_of(tools))


@pytest.mark.parametrize("schema", [None, "x", {"properties": [1]}, {"properties": None, "required": "a"}])
def test_a_tool_without_readable_parameters_takes_none(schema):
    assert list(signatures_of(json.dumps([{"name": "f", "parameters": schema}]))) == [("f", ())]
