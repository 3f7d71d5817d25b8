"""Tools that are offered under one name with several sets of parameters: what a model mixes up.

Taken from the written rows: what the model is shown. Compared are the names of the parameters and which of
them are required, not their types and descriptions.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from curation.calls.listed_tools import functions

Parameters = tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Signature:
    """One set of parameters of a tool, (name, whether required), and the rows that offer it, by source."""

    parameters: Parameters
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Drift:
    """A tool with several signatures, the most offered first."""

    name: str
    signatures: tuple[Signature, ...]

    @property
    def rows(self) -> int:
        """How often a row offers it."""
        return sum(sum(one.rows.values()) for one in self.signatures)

    @property
    def common(self) -> frozenset[tuple[str, bool]]:
        """The parameters that are the same in every signature."""
        first, *others = (frozenset(one.parameters) for one in self.signatures)
        return first.intersection(*others)

    @property
    def sources(self) -> list[str]:
        """The sources that offer it, in the order of their names."""
        return sorted({source for one in self.signatures for source in one.rows})


def drifting(tables: Mapping[str, pl.LazyFrame]) -> list[Drift]:
    """The tools of the written rows that have several signatures, those that most rows offer first.

    tables: `train` and `eval`, of which the columns tools, source and repeat are read.
    """
    rows = pl.concat([tables[split].select("tools", "source", "repeat") for split in ("train", "eval")])
    offered = rows.filter(pl.col("tools").is_not_null() & (pl.col("repeat") == 1))
    counted = offered.group_by("tools", "source").len().collect()
    found: dict[str, dict[Parameters, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for tools, source, number in counted.iter_rows():
        for name, parameters in signatures_of(tools):
            found[name][parameters][source] += number
    drifts = [drift_of(name, sets) for name, sets in found.items() if len(sets) > 1]
    return sorted(drifts, key=lambda drift: (-drift.rows, drift.name))


def drift_of(name: str, sets: Mapping[Parameters, Counter[str]]) -> Drift:
    """A tool with its signatures in their order."""
    ordered = sorted(sets.items(), key=lambda entry: (-entry[1].total(), entry[0]))
    return Drift(name, tuple(Signature(names, dict(sorted(rows.items()))) for names, rows in ordered))


def signatures_of(tools: str) -> Iterator[tuple[str, Parameters]]:
    """Name and parameters of every tool in a JSON array of definitions; what is no definition has none."""
    try:
        listed = orjson.loads(tools)
    except orjson.JSONDecodeError:
        return
    for one in functions(listed) if isinstance(listed, list) else ():
        if isinstance(one, dict) and isinstance(name := one.get("name"), str):
            schema = one.get("parameters", one.get("input_schema"))
            yield name, parameters_of(schema) if isinstance(schema, dict) else ()


def parameters_of(schema: Mapping[str, Any]) -> Parameters:
    """The parameters that a JSON schema declares, by name."""
    properties, required = schema.get("properties"), schema.get("required")
    asked = required if isinstance(required, list) else []
    return tuple((name, name in asked) for name in sorted(properties)) if isinstance(properties, dict) else ()
