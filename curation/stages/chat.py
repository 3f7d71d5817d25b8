"""The shape of a conversation, and text that would turn into control tokens.

Reasons and repairs, each repair a note with its count, are explained in curation/recipe/stages.py. What the
table does not say:

bad_role          also tool calls of anyone but the assistant; other names of the four roles are mended
                  (curation/turns/roles.py)
bad_order         a system turn in the middle, calls or results before the first user turn, two turns of one
                  role that cannot be one
control_token     in a message, a tool call or the tools; neutralised by a space after its first
                  character: `< |im_end|>`
calls_in_text     calls at the end of a turn, in any spelling of the table (curation/calls/spellings.py),
                  where their tools are offered; results after them; `<tools>` in the system turn
call_like_text    a flag, with the spelling and how it begins: what looks like a call and was not read, since
                  its tool is not offered, text follows it, or it is not whole
empty_turn        tool results and turns that only call are not empty
merged_turns      parted by a blank line; of two that were one of the assistant's, either without loss, the
                  whole carries none
trailing_result   only results that answer calls of the turn before them: the row ends on what the
                  assistant did

An orphan tool result between two turns stays where it is: the `tools` stage judges it.

`<think>` and `</think>` are part of an assistant turn when every one that opens is closed. Anywhere
else (a user or system turn, a tool result, a call) they are control tokens like all others.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from curation.calls.failures.judge import failure
from curation.calls.given_tools import GivenTools, given_to
from curation.calls.listed_tools import TOOLS
from curation.calls.spellings import LISTED, MARKED
from curation.calls.text_calls import text_calls, unread_calls
from curation.calls.tool_schemas import Toolset
from curation.recipe.stages import Chat, SpeltTokens
from curation.row import Message, close_row, note, open_row
from curation.stages.rewriting import Rejected, Rewritten, rewrite_together
from curation.stages.seam import Context, Rows, RowsFn, Split
from curation.turns.control_tokens import (
    CONTROL_TOKENS,
    THINK_TOKENS,
    Spellings,
    added_tokens,
    lacks_opening_think,
    spellings,
    thinking_is_balanced,
    tokenizer_file,
)
from curation.turns.order import Fault, settle

_STRING = r'"(?:[^"\\]|\\.)*"'
_ANY = f"(?:null|{_STRING})"
# With at least one character that is neither white space nor escaped.
_SAID = r'"(?: |\\.)*[^"\\\s](?:[^"\\]|\\.)*"'
_CALLS = rf'\[(?:[^"\[\]]|{_STRING})+\]'


def _turn(role: str, content: str, calls: str = "null") -> str:
    loss = '(?:,"weight":0)?' if role == "assistant" else ""
    head = rf'\{{"content":{content},"name":{_ANY},"role":"{role}"'
    return rf'{head},"tool_call_id":{_ANY},"tool_calls":{calls}{loss}\}}'


_ANSWER = f"(?:{_turn('assistant', _SAID)}|{_turn('assistant', _ANY, _CALLS)})"
_EXCHANGE = f"{_turn('user', _SAID)},{_ANSWER}(?:(?:,{_turn('tool', _ANY)})+,{_ANSWER})*"
# Most rows are sound: the regex engine sees that without decoding them.
_SOUND_ROW = rf"^\[(?:{_turn('system', _SAID)},)?{_EXCHANGE}(?:,{_EXCHANGE})*\]$"
# Calls that bear no mark, in rows that offer tools: what ends an assistant's turn, and what begins a line.
_CALL_ENDS = r'[\])}`>](?:\\[nrt]| )*","name":(?:null|"[^"]*"),"role":"assistant"'
_CALL_BEGINS = r'(?:"content":"|\\n|`)[\w.]+\('
_NOTHING = GivenTools()


def chat(
    rows: pl.DataFrame,
    *,
    repair: bool = True,
    control_tokens: SpeltTokens = "drop",
    tokens: Sequence[str] = CONTROL_TOKENS,
    given: GivenTools = _NOTHING,
) -> Split:
    """Rows that are sound conversations, repaired where that is safe; reasons above.

    Needs `messages`, `tools`, `notes`, `source`. `control_tokens`: drop a row that spells one of `tokens`,
    or neutralise the spelling. given: the tools of rows without their own, of which text may be calls.
    Counts as `calls.rows` the rows that stay with calls or what looks like one, as `calls.unread` those of
    them with the latter. Idempotent.
    """
    with_thinking, plain = spellings([*tokens, *THINK_TOKENS]), spellings(tokens)
    marks = [*with_thinking.marks(), TOOLS]
    spelt = rows["messages"].str.contains_any(marks) | rows["tools"].str.contains_any(marks).fill_null(False)
    suspects = spelt | ~rows["messages"].str.contains(_SOUND_ROW) | _may_call(rows, given)
    settle_row = partial(_settle_row, repair=repair, neutralise=control_tokens == "neutralise")
    settle_row = partial(settle_row, everywhere=with_thinking, said=plain)

    def settle_rows(part: pl.DataFrame) -> Iterator[Rewritten | Rejected | None]:
        for text, offered, notes, source in part.select("messages", "tools", "notes", "source").iter_rows():
            yield settle_row(text, offered, notes, given=given.of(source))

    split = rewrite_together(rows, suspects, settle_rows)
    return replace(split, counts=_counted(split.kept))


def _may_call(rows: pl.DataFrame, given: GivenTools) -> pl.Series:
    """Which rows may have a call in their text, by what no other row has."""
    texts = rows["messages"]
    ends = texts.str.contains(_CALL_ENDS)
    may = texts.str.contains(MARKED) | texts.str.contains(LISTED) | (ends & rows["tools"].is_not_null())
    for places, marks in (
        (rows["tools"].is_not_null() & ~may, [_CALL_BEGINS]),
        (ends & ~may, [re.escape(mark) for mark in given.marks()]),
    ):
        found = places.fill_null(False).arg_true()
        if marks and len(found):
            hits = texts[found].str.contains("|".join(marks)).fill_null(False)
            may = may.scatter(found.filter(hits), True)
    return may


def _counted(kept: pl.DataFrame) -> dict[str, int]:
    unread = kept["notes"].str.contains('"flag":"call_like_text"', literal=True).fill_null(False)
    calling = kept["messages"].str.contains('"tool_calls":[', literal=True)
    return {"rows": int((calling | unread).sum()), "unread": int(unread.sum())}


def _settle_row(
    text: str,
    tools: str | None,
    notes: str | None,
    *,
    given: Toolset,
    repair: bool,
    neutralise: bool,
    everywhere: Spellings,
    said: Spellings,
) -> Rewritten | Rejected | None:
    """`everywhere`: the tokens with those of thinking; `said`: without, for assistant turns."""
    messages, repairs = open_row(text, notes), Counter[str]()
    failed: dict[str, str] = {}
    merged = True
    while merged:  # turns that became one may spell what none of them did
        read = text_calls(messages, tools, given) if repair else None
        whole = read.messages if read else messages
        settled = settle(whole, repair)
        if isinstance(settled, Fault):
            return Rejected(settled.reason, settled.detail, notes)
        messages, found = settled
        repairs.update(found)
        if found["trailing_result"]:
            failed = _failed_end(whole, settled.messages)
        if read:
            tools, repairs["calls_in_text"] = read.tools, repairs["calls_in_text"] + read.turns
        merged = bool(found["merged_turns"] or found["merged_system"])
    if repair:
        repairs["opened_think"] += open_thinking(messages)
    if neutralise:
        tools, repairs["control_tokens"] = neutralise_row(messages, tools, everywhere, said)
    elif spelt := next(spelt_tokens(messages, tools, everywhere, said), None):
        place, token = spelt
        return Rejected("control_token", {"token": token, "where": place}, notes)
    text, notes = close_row(messages, notes)
    for name in sorted(name for name, count in repairs.items() if count):
        more = failed if name == "trailing_result" else {}
        notes = note(notes, stage="chat", repair=name, count=repairs[name], **more)
    for unread in unread_calls(messages, tools, given):
        flag = note(None, stage="chat", flag="call_like_text", **unread._asdict())
        if flag not in (notes or "").split("\n"):
            notes = f"{notes}\n{flag}" if notes else flag
    return Rewritten(text, tools, notes)


def _failed_end(whole: Sequence[Message], left: Sequence[Message]) -> dict[str, str]:
    """How the first of the closing results that were taken off says that its call failed, under `failed`."""
    calls = {call["id"]: call for call in left[-1]["tool_calls"] or ()}
    for result in whole:
        call = calls.get(result["tool_call_id"]) if result["role"] == "tool" else None
        if call and (how := failure(result["content"], call["name"], call["arguments"])):
            return {"failed": how}
    return {}


def open_thinking(messages: list[Message]) -> int:
    """Put the missing `<think>` before thinking in assistant turns; returns in how many."""
    opened = 0
    for message in messages:
        content = message["content"]
        if message["role"] == "assistant" and content and lacks_opening_think(content):
            message["content"] = f"<think>\n{content.lstrip()}"
            opened += 1
    return opened


def spelt_tokens(
    messages: list[Message], tools: str | None, everywhere: Spellings, said: Spellings
) -> Iterator[tuple[str, str]]:
    """(where, token) for every text of a row that spells a control token."""
    for i, message in enumerate(messages):
        for key in ("content", "name", "tool_call_id"):
            if message[key] and (token := _tokens_for(message, key, everywhere, said).find(message[key])):
                yield f"messages[{i}].{key}", token
        for j, call in enumerate(message["tool_calls"] or ()):
            for key, value in call.items():
                find = everywhere.find_json if key == "arguments" else everywhere.find
                if value and (token := find(value)):
                    yield f"messages[{i}].tool_calls[{j}].{key}", token
    if tools and (token := everywhere.find_json(tools)):
        yield "tools", token


def neutralise_row(
    messages: list[Message], tools: str | None, everywhere: Spellings, said: Spellings
) -> tuple[str | None, int]:
    """Neutralise every spelling in place; returns the tools' text and how many there were."""
    counts: Counter[str] = Counter()
    for message in messages:
        for key in ("content", "name", "tool_call_id"):
            if message[key]:
                where = _tokens_for(message, key, everywhere, said)
                message[key], counts[key] = _add(counts[key], where.neutralise(message[key]))
        for call in message["tool_calls"] or ():
            for key, value in call.items():
                change = everywhere.neutralise_json if key == "arguments" else everywhere.neutralise
                if value:
                    call[key], counts[key] = _add(counts[key], change(value))
    if tools:
        tools, counts["tools"] = everywhere.neutralise_json(tools)
    return tools, counts.total()


def _add(before: int, change: tuple[str, int]) -> tuple[str, int]:
    return change[0], before + change[1]


def _tokens_for(message: Message, key: str, everywhere: Spellings, said: Spellings) -> Spellings:
    """Which tokens a text must not spell: sound thinking in what the assistant says is none."""
    is_said = message["role"] == "assistant" and key == "content"
    return said if is_said and thinking_is_balanced(message[key]) else everywhere


def _tokenizer_files(settings: Any, context: Context) -> Sequence[Path]:
    return [tokenizer_file(context.tokenizer)] if context.tokenizer else []


def _bind(settings: Any, context: Context) -> RowsFn:
    assert isinstance(settings, Chat)
    tokens = (*CONTROL_TOKENS, *(added_tokens(context.tokenizer) if context.tokenizer else ()))
    return partial(
        chat,
        repair=settings.repair,
        control_tokens=settings.control_tokens,
        tokens=tokens,
        given=given_to(context.offered, context.data_root),
    )


STAGE = Rows(bind=_bind, files=_tokenizer_files)
