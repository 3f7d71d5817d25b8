"""JSON lines to rows the quick way: it takes what is plain, and never says else than the reader."""

import json
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.readers import reading
from curation.readers.conversion import converted, converter
from curation.readers.messages.quick import canonical_rows, quick_key
from curation.readers.reading import chunks, read
from curation.recipe.marks import MARKS, ROW_MARKS
from curation.recipe.source import Source
from curation.row import encode
from curation.sources.records import Refused
from curation.turns.shape import Row

MESSAGES = Source(uri="x.jsonl", reader="messages", group="g")
WILDCHAT = Source(uri="x.jsonl", reader="wildchat", group="g")


def by_reader(line: bytes, source: Source = MESSAGES) -> tuple[str, str | None] | None:
    """Messages and tools that the reader makes of a line; None where it makes no row, or one with notes."""
    convert = converter(source, Path("x.jsonl"))
    (found,) = converted([[line]], convert, source)
    # Of lines with telling keys it makes rows, too; `reading` gives it none of them.
    found = convert(line) if isinstance(found, Refused) else found
    return (encode(found.messages), found.tools) if isinstance(found, Row) and not found.notes else None


def quick(*lines: bytes) -> list[tuple[str, str | None] | None]:
    """The same, where the quick way takes the line; None where it leaves it."""
    taken = canonical_rows(lines, "messages")
    return [
        None if messages is None else (messages, tools)
        for messages, tools in zip(taken.messages, taken.tools, strict=True)
    ]


texts = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", "\n\t\r\b\f\x00\x1f\x7f", "é漢🌿\u2028", "", "</s>"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
roles = st.sampled_from(["user", "assistant", "system", "tool", "user", "assistant", "human", "User", "tööl"])
functions = st.fixed_dictionaries(
    {"name": texts | st.none() | texts},
    optional={
        "arguments": texts | st.dictionaries(texts, anything, max_size=3) | anything,
        "parameters": anything,
        "type": texts,
    },
)
calls = functions | st.fixed_dictionaries(
    {"function": functions | functions | st.none()},
    optional={"id": texts | st.none() | st.integers(), "type": texts, "name": texts, "index": st.integers()},
)
turns = st.fixed_dictionaries(
    {"role": roles, "content": texts | st.none() | texts | texts},
    optional={
        "name": texts | st.none(),
        "tool_calls": st.none() | st.lists(calls, max_size=3),
        "tool_call_id": st.none() | texts | st.integers(),
        "function_call": st.none(),
        "reasoning_content": st.none() | texts,
        "extra": anything,
        **dict.fromkeys(MARKS, st.none() | st.booleans() | st.sampled_from([0, 1, 0.0, 0.5, "no"])),
    },
)
conversations = st.lists(turns, max_size=4)
records = st.fixed_dictionaries(
    {"messages": conversations},
    optional={
        "id": anything,
        "tools": anything | st.lists(functions, max_size=2) | st.lists(functions).map(json.dumps),
        "system": texts | st.none(),
        "meta": anything,
        **dict.fromkeys(ROW_MARKS, st.none() | st.sampled_from([0, 1, 2, "User", "assistant"])),
    },
)


def spelt(record: object, *, ascii_only: bool, spaces: bool) -> bytes:
    """JSON text as one of many programs would write it."""
    separators = (" , ", " : ") if spaces else (",", ":")
    text = json.dumps(record, ensure_ascii=ascii_only, separators=separators)
    return text.encode("utf-8", "surrogatepass")


@given(st.lists(records, max_size=4), st.booleans(), st.booleans())
def test_what_is_taken_is_byte_for_byte_what_the_reader_gives(rows, ascii_only, spaces):
    lines = [spelt(row, ascii_only=ascii_only, spaces=spaces) for row in rows]
    for line, found in zip(lines, quick(*lines), strict=True):
        assert found is None or found == by_reader(line)


small = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | texts
arguments = st.dictionaries(texts, small | st.lists(small, max_size=2), max_size=3)
named = st.fixed_dictionaries({"name": texts}, optional={"arguments": texts | arguments, "type": texts})
usual_calls = named | st.fixed_dictionaries(
    {"function": named}, optional={"id": texts | st.none(), "type": texts}
)
usual_turns = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"])},
    optional={
        "content": texts | st.none(),
        "name": texts | st.none(),
        "tool_calls": st.none() | st.lists(usual_calls, max_size=3),
        "tool_call_id": st.none() | texts,
    },
)
usual = st.fixed_dictionaries(
    {"messages": st.lists(usual_turns, min_size=1, max_size=4)},
    optional={"id": small, "tools": st.lists(named, max_size=2)},
)


@given(usual, st.booleans(), st.booleans())
def test_usual_conversations_with_calls_and_tools_are_all_taken(row, ascii_only, spaces):
    line = spelt(row, ascii_only=ascii_only, spaces=spaces)
    (found,) = quick(line)
    assert found is not None
    assert found == by_reader(line)


@given(
    records | usual | usual,
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=2),
    st.integers(100, 900),
    st.tuples(st.integers(0, 400), st.integers(0, 3)),
)
@example({"messages": [{"role": "user", "content": "é"}]}, [(37, 0x80)], 900, (0, 0))
@example({"messages": [{"role": "user", "content": "ab"}]}, [], 20, (0, 0))
@example({"messages": [{"role": "user", "tool_call_id": ""}]}, [(37, 32)], 900, (0, 0))
def test_a_damaged_line_is_taken_only_where_the_reader_agrees(row, changes, length, cut):
    line = bytearray(spelt(row, ascii_only=False, spaces=False)[:length])
    for place, byte in changes:
        if place < len(line) and byte != 10:
            line[place] = byte
    del line[cut[0] : sum(cut)]
    (found,) = quick(bytes(line))
    assert found is None or found == by_reader(bytes(line))


@pytest.mark.parametrize(
    "line",
    [
        '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}',
        ' { "id" : 7 , "messages" : [ { "content" : "Hi" , "role" : "user" } ] } \r',
        '{"messages":[{"role":"user","content":"\\u00e9\\ud83c\\udf3f\\/\\u0007\\u0022"}],"x":{"y":[1.5e-3,[],{}]}}',
        '{"messages":[{"role":"assistant","content":null,"tool_calls":null,"name":"Ada","weight":null}]}',
        '{"prompt":"p","messages":[{"role":"system","content":""},{"role":"tool"}],"prompt_id":null}',
        '{"messages":[{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":'
        '{"name":"bash","arguments":"{\\"command\\": \\"ls\\"}"}}]},{"role":"tool","content":"a\\nb",'
        '"tool_call_id":"c1","name":"bash"}],"tools":[{"name": "bash", "parameters" : {}}]}',
        '{"messages":[{"role":"assistant","content":"so","tool_calls":[{"name":"bash","arguments":'
        '{ "command":"ls \\"é\\"\\t" , "n": [1.0, null] }},{"name":"list_agents"}]}],"tools":"[]"}',
        '{"messages":[{"role":"assistant","content":"x","tool_calls":[]}],"tools":null}',
    ],
)
def test_plain_lines_are_taken(line):
    (found,) = quick(line.encode())
    assert found == by_reader(line.encode())
    assert found is not None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"messages":[]}',
        b'{"messages":[{"role":"user","content":"a"}],"messages":[]}',
        b'{"messages":[{"role":"user","role":"tool","content":"a"}]}',
        b'{"messages":[{"role":"human","content":"a"}]}',
        b'{"messages":[{"content":"a"}]}',
        b'{"messages":[{"role":"user","content":["a"]}]}',
        b'{"messages":[{"role":"user","content":"a"}],"functions":[]}',
        b'{"messages":[{"role":"user","content":"a"}],"tools":[],"tools":[]}',
        b'{"messages":[{"role":"assistant","tool_calls":[{"name":"a"},]}]}',
        b'{"messages":[{"role":"assistant","tool_calls":[{"name":"a","arguments":null}]}]}',
        b'{"messages":[{"role":"assistant","tool_calls":[{"name":"a","input":{}}]}]}',
        b'{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"a"},"name":"b"}]}]}',
        b'{"messages":[{"role":"assistant","tool_calls":[{"arguments":{}}]}]}',
        b'{"messages":[{"role":"assistant","tool_calls":[{"name":"a","id":1}]}]}',
        b'{"messages":[{"role":"tool","content":"a","tool_call_id":1}]}',
        b'{"m\\u0065ssages":[{"role":"user","content":"a"}]}',
        b'{"messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
        b'{"messages":[{"role":"user","content":"a\x01"}]}',
        b'{"messages":[{"role":"user","content":"a"}]} x',
        b'{"messages":[{"role":"user","content":"a"},]}',
        b'{"messages":[{"role":"user","content":"a"}],"x":01}',
        b'{"messages":[{"role":"user","content":"a"}],"x":NaN}',
        b'{"messages":[{"role":"user","content":"a"}],"x":[1}',
        b'\xef\xbb\xbf{"messages":[{"role":"user","content":"a"}]}',
    ],
)
def test_what_a_reader_must_look_at_is_left_to_it(line):
    assert quick(line, b"") == [None, None]


def test_a_very_deep_value_is_left():
    line = b'{"x":' + b"[" * 5000 + b"]" * 5000 + b',"messages":[{"role":"user","content":"a"}]}'
    assert quick(line) == [None]


def test_only_readers_of_conversations_without_settings_go_the_quick_way():
    assert quick_key(MESSAGES) == "messages"
    assert quick_key(WILDCHAT) == "conversation"
    # As `aj init` writes it.
    named = {"columns": {"messages": "messages"}}
    assert quick_key(Source(uri="x.jsonl", reader="messages", group="g", **named)) == "messages"
    for setting in ({"columns": {"messages": "chat"}}, {"where": {"lang": "en"}}, {"system": "Be brief."}):
        assert quick_key(Source(uri="x.jsonl", reader="messages", group="g", **setting)) is None
    assert quick_key(Source(uri="x.jsonl", reader="sharegpt", group="g")) is None


@pytest.fixture
def always_quick(monkeypatch):
    monkeypatch.setattr(reading, "QUICK_BYTES", 0)


@pytest.mark.usefixtures("always_quick")
def test_a_file_reads_the_same_whichever_way_its_lines_go(tmp_path):
    plain = [{"messages": [{"role": "user", "content": f"q{n}"}]} for n in range(6)]
    call = {"name": "bash", "input": {"command": "ls"}}
    odd = [{"messages": [{"role": "assistant", "tool_calls": [call]}], "tools": [{}]}, {"messages": 1}]
    lines = [orjson.dumps(row) for row in [*plain[:2], odd[0], *plain[2:4], odd[1], *plain[4:]]]
    lines.insert(3, b"{broken")
    lines.insert(1, b"  ")
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(lines))
    (chunk,) = chunks(path, MESSAGES)
    quick = pl.concat(read(chunk, MESSAGES, file="rows.jsonl"))
    # A preview goes the other way.
    slow = pl.concat(read(chunk, MESSAGES, file="rows.jsonl", limit=100))
    assert quick.equals(slow)
    assert quick["row"].to_list() == list(range(9))
    assert quick["reason"].drop_nulls().to_list() == ["unreadable", "unreadable"]


@pytest.mark.usefixtures("always_quick")
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_line_is_one_empty_frame(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    frames = [frame for chunk in chunks(path, MESSAGES) for frame in read(chunk, MESSAGES, file="rows.jsonl")]
    assert [frame.height for frame in frames] == [0]
