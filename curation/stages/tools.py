"""Every tool call checked against the tools that the row offers, and what can be mended, mended.

A row's calls are checked against its own `tools`, else against the tools of the recipe (`schema`,
or `sources` for a single source; `any` there takes every tool and checks form alone). An empty
`tools` array counts as none. A source's own `tools` are the same, and are written into its rows without any.

Reasons, repairs and flags are explained in curation/recipe/stages.py; the first reason in reading order
counts. Of a reason `detail` says where (`message` counts from 0, `path` is a JSONPath), a repair is a note
{"stage": "tools", "repair": kind, "count": n}. What the table does not say:

schema_invalid      also tools that refer outside themselves or ask for too much work; JSON Schema is 2020-12
                    unless `$schema` says
arguments_invalid   also a key that is written twice
bash_syntax         a reason only of `bash`, under `drop`. Else a flag, and for `remote_bash` and
                    `remote_bash_all`, which may run PowerShell, always a flag; none under `ignore`
invalid_call        a flag under `invalid: mask`, where what is wrong with a call in itself (unknown_tool,
                    arguments_not_json, arguments_invalid, bash_syntax) masks its turn; what is wrong with
                    tools, ids and results drops the row all the same
missing_result      a call in the row's last message needs no result (single-turn sets end so), nor do AJ's
                    `think` and `complete`
nulls               keys that Arrow gave to objects that have none: null where the schema has no room for it
json                single quotes, trailing commas, Python literals, bare control characters
nesting             {"arguments": {…}}, or a JSON string of JSON
ids                 they become call_<n>, and their results follow
order               a result without id belongs to the calls of the tool that it names, else to all in
                    call order

What needs no repair is not touched by a byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import msgspec
import orjson
import polars as pl

from curation import row
from curation.calls.checks import CallCheck, is_plainly_right, offered_tools
from curation.calls.given_tools import Definitions, as_text, definitions, given_tools
from curation.calls.result_pairs import Pairing, Problem, RowTurn, blocks
from curation.calls.tool_schemas import Toolset, tools_file
from curation.errors import CurationError
from curation.recipe.kinds import ANY_TOOL
from curation.recipe.stages import BashSyntax, InvalidCall, ToolRepair, Tools
from curation.stages.seam import Context, Rows, RowsFn, Split

_REPAIRS: frozenset[str] = frozenset(get_args(ToolRepair))

_decode = msgspec.json.Decoder(list[RowTurn]).decode


def tools(
    rows: pl.DataFrame,
    *,
    schema: Definitions,
    sources: Mapping[str, Definitions] | None = None,
    repair: bool | Sequence[str] = True,
    bash_syntax: BashSyntax = "drop",
    invalid: InvalidCall = "drop",
    formats: bool = False,
    written: Sequence[str] = (),
) -> Split:
    """Keep the rows whose tool calls are right or can be put right.

    schema: definitions for rows without their own, as a list or its JSON text, or "any".
    sources: the same for single sources. written: those of them whose rows without tools get theirs. Needs
    `messages`, `tools`, `notes`, `source`; changes the first three of repaired rows. Counts the `rows` with
    calls, those of them that stay as `valid` (none with a masked call), those that stay `without` tools, and
    the `repaired` ones.
    Raises CurationError if the given definitions are unusable.
    """
    kinds = _REPAIRS if repair is True else frozenset(repair or ())
    given = given_tools(schema, sources or {}, formats=formats)
    for name in written:
        takes = (pl.col("source") == name) & pl.col("tools").is_null()
        rows = rows.with_columns(
            tools=pl.when(takes).then(pl.lit(as_text((sources or {})[name]))).otherwise("tools")
        )
    has_calls = pl.col("messages").str.contains('"tool_calls":[{', literal=True)
    has_results = pl.col("messages").str.contains('"role":"tool"', literal=True)
    calling = (has_calls | has_results).fill_null(False)
    index = rows.select(pl.arg_where(calling | pl.col("tools").is_not_null())).to_series()
    chosen = rows[index].select("messages", "tools", "source", calling.alias("calling"))
    verdicts = [
        _examine(
            messages,
            own,
            given.of(source),
            kinds,
            bash_syntax,
            calling,
            masks=invalid == "mask",
            formats=formats,
        )
        for messages, own, source, calling in chosen.with_columns(
            pl.col("messages").cast(pl.Binary)
        ).iter_rows()
    ]
    split = _split(rows, index, verdicts)
    counts = {
        "rows": with_calls(rows),
        "valid": with_calls(split.kept) - sum(bool(v.masked) for v in verdicts if v.problem is None),
        "without": with_calls(split.kept.filter(pl.col("tools").is_null())),
        "repaired": repaired(split.kept),
    }
    return replace(split, counts=counts)


def with_calls(rows: pl.DataFrame) -> int:
    """Rows with at least one tool call."""
    return int(rows["messages"].str.contains('"tool_calls":[', literal=True).sum())


def repaired(rows: pl.DataFrame) -> int:
    """Rows with a repair by this stage in their notes."""
    notes = rows["notes"].drop_nulls().to_frame()
    lines = pl.col("notes").str.split("\n")
    hit = lines.list.eval(
        pl.element().str.contains('"repair":', literal=True)
        & pl.element().str.contains('"stage":"tools"', literal=True)
    ).list.any()
    return notes.filter(hit).height


class _Verdict(msgspec.Struct):
    """What becomes of a row. None in `messages` or `tools` means: as it was."""

    problem: Problem | None = None
    messages: str | None = None
    tools: str | None = None
    repairs: dict[str, int] = {}
    flags: list[dict[str, Any]] = []
    masked: list[Problem] = []


_FINE = _Verdict()
# What is wrong with a call in itself.
_OF_CALLS = frozenset({"unknown_tool", "arguments_not_json", "arguments_invalid", "bash_syntax"})


def _examine(
    messages: bytes,
    own: str | None,
    given: Toolset,
    kinds: frozenset[str],
    bash: BashSyntax,
    calling: bool,
    *,
    masks: bool,
    formats: bool,
) -> _Verdict:
    offered = offered_tools(own, given, repair="types" in kinds, formats=formats)
    if offered.problem is not None:
        return _Verdict(problem=Problem("schema_invalid", offered.problem))
    repaired_tools = offered.repaired if own is not None else None
    if not calling and repaired_tools is None:
        return _FINE
    turns = _decode(messages)
    if repaired_tools is None and is_plainly_right(turns, offered, bash):
        return _FINE
    check = CallCheck(offered, kinds, bash)
    pairing = Pairing(turns, kinds)
    masked: list[Problem] = []
    for block in blocks(turns):
        for index, call in block.calls:
            problem = check.call(index, call)
            if problem is not None and masks and problem.reason in _OF_CALLS:
                masked.append(problem)
            elif problem is not None:
                return _Verdict(problem=problem)
        problem = pairing.settle(block)
        if problem is not None:
            return _Verdict(problem=problem)
    changed = bool(pairing.repaired or check.repaired)
    if not changed and repaired_tools is None and not check.flags and not masked:
        return _FINE
    repairs = {**check.repaired, **pairing.repaired}
    if repaired_tools is not None:
        repairs["types"] = offered.repairs
        repairs["nulls"] = repairs.get("nulls", 0) + offered.nulls
        repairs = {kind: count for kind, count in repairs.items() if count}
    return _Verdict(
        messages=_with(messages, turns) if changed else None,
        tools=repaired_tools,
        repairs=repairs,
        flags=check.flags,
        masked=masked,
    )


def _with(messages: bytes, turns: list[RowTurn]) -> str:
    """The row's messages with the calls and result ids of `turns`."""
    decoded: list[row.Message] = orjson.loads(messages)
    for message, turn in zip(decoded, turns, strict=True):
        message["tool_call_id"] = turn.tool_call_id
        for entry, call in zip(message["tool_calls"] or (), turn.tool_calls or (), strict=True):
            entry["id"], entry["arguments"] = call.id, call.arguments
    return row.encode(decoded)


def _split(rows: pl.DataFrame, index: pl.Series, verdicts: list[_Verdict]) -> Split:
    """The frames of kept and dropped rows, in their order."""
    found = [(at, v) for at, v in zip(index, verdicts, strict=True) if v is not _FINE]
    dropped_at = [at for at, v in found if v.problem is not None]
    problems = [v.problem for _, v in found if v.problem is not None]
    dropped = row.drop(rows[dropped_at], [p.reason for p in problems], [p.detail for p in problems])
    changed = [(at, v) for at, v in found if v.problem is None]
    kept = _changed(rows, changed) if changed else rows
    if dropped_at:
        keep = pl.Series([True]).new_from_index(0, rows.height).scatter(dropped_at, False)
        kept = kept.filter(keep)
    return Split(kept, dropped)


def _changed(rows: pl.DataFrame, verdicts: list[tuple[int, _Verdict]]) -> pl.DataFrame:
    """The rows with their repairs and notes."""
    before = rows[[at for at, _ in verdicts]].select("messages", "tools", "notes").rows()
    entries = []
    for (at, v), (messages, offered, notes) in zip(verdicts, before, strict=True):
        text, told = _masked(messages if v.messages is None else v.messages, notes, v.masked)
        entries.append((at, text, offered if v.tools is None else v.tools, _noted(told, v)))
    schema = {"_at": pl.UInt32, "messages": pl.String, "tools": pl.String, "notes": pl.String}
    new = pl.DataFrame(entries, schema=schema, orient="row")
    joined = rows.with_row_index("_at").update(new, on="_at", how="left", maintain_order="left")
    return joined.drop("_at").select(rows.columns)


def _masked(text: str, notes: str | None, problems: Sequence[Problem]) -> tuple[str, str | None]:
    """A row's messages and notes, the turns with these calls masked."""
    if not problems:
        return text, notes
    messages = row.open_row(text, notes)
    for problem in problems:
        row.mask(messages[problem.detail["message"]], "invalid_call")
    return row.close_row(messages, notes)


def _noted(notes: str | None, verdict: _Verdict) -> str | None:
    for kind in sorted(verdict.repairs):
        notes = row.note(notes, stage="tools", repair=kind, count=verdict.repairs[kind])
    for flag in verdict.flags:
        notes = row.note(notes, stage="tools", flag="bash_syntax", **flag)
    for problem in verdict.masked:
        notes = row.note(notes, stage="tools", flag="invalid_call", why=problem.reason, **problem.detail)
    return notes


def _bind(settings: Tools, context: Context) -> RowsFn:
    unknown = sorted(set(settings.sources) - set(context.sources))
    if unknown and context.sources:
        known = ", ".join(context.sources)
        raise CurationError(f"tools: sources: no source is named {unknown[0]!r}; the recipe has: {known}")
    sources = {**settings.sources, **{name: context.offered[name] for name in context.written}}
    return partial(
        tools,
        schema=definitions(settings.schema, context.data_root),
        sources={name: definitions(schema, context.data_root) for name, schema in sources.items()},
        written=context.written,
        repair=settings.repair,
        bash_syntax=settings.bash_syntax,
        invalid=settings.invalid,
        formats=settings.formats,
    )


def _files(settings: Tools, context: Context) -> list[Path]:
    written = (context.offered[name] for name in context.written)
    named = (settings.schema, *(settings.sources[name] for name in sorted(settings.sources)), *written)
    return [tools_file(schema, context.data_root) for schema in dict.fromkeys(named) if schema != ANY_TOOL]


STAGE = Rows(bind=_bind, files=_files)
