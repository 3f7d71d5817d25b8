"""Keys of records: what a reader makes of them, and that the compiled loop sees what decoding sees."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shapes import source

from curation.readers.keys.shapes import Keys, may_tell

CHAT = [{"role": "user", "content": "hi", "toxic": False}, {"role": "assistant", "content": "ho", "id": None}]


def shape(reader, record, **settings):
    return Keys(source(reader, **settings)).shape(json.dumps(record).encode())


def suspects(reader, record, **settings):
    return [suspect.told for suspect in shape(reader, record, **settings).suspects]


def test_keys_of_turns_are_told_apart_from_those_of_rows():
    found = shape("messages", {"messages": CHAT, "toxic": True, "note": "", "tools": []})
    assert set(found.read) == {"messages", "messages[].role", "messages[].content"}
    assert set(found.ignored) == {"toxic", "messages[].toxic"}


@pytest.mark.parametrize(
    ("reader", "record", "settings", "expected"),
    [
        ("qa", {"q": "?", "a": "!", "id": 3}, {"columns": {"question": "q", "answer": "a"}}, {"q", "a"}),
        ("qa", {"Question": "?", "Answer": "!", "tag": 3}, {}, {"Question", "Answer"}),
        ("qa", {"question": "?", "answer": "!", "t": 3}, {"where": {"t": 3}}, {"question", "answer", "t"}),
        ("qa", {"x": {"q": "?", "b": 1}, "answer": "!"}, {"columns": {"question": "x.q"}}, {"x", "answer"}),
        (
            "map",
            {"talk": [{"who": "a", "said": "?", "at": 1}], "about": "s"},
            {"map": {"turns": "talk", "role": "who", "content": "said", "system": "about"}},
            {"talk", "about", "talk[].who", "talk[].said"},
        ),
        ("messages", [{"role": "user", "content": "?", "at": 1}], {}, {"[].role", "[].content"}),
        ("messages", {"messages": json.dumps(CHAT)}, {},
         {"messages", "messages[].role", "messages[].content"}),
        ("sharegpt", {"conversations": [{"from": "human", "value": "?", "name": "x"}]}, {},
         {"conversations", "conversations[].from", "conversations[].value"}),
        ("sharegpt", {"conversations": [{"role": "user", "content": "?", "name": "x"}]}, {},
         {"conversations", *(f"conversations[].{key}" for key in ("role", "content", "name"))}),
    ],
)  # fmt: skip
def test_what_a_reader_reads_is_told(reader, record, settings, expected):
    assert set(shape(reader, record, **settings).read) == expected


@pytest.mark.parametrize(
    "key", ["image", "Images", "imageUrl", "AUDIO", "videos", "label", "available-tools"]
)
def test_a_key_is_known_however_it_is_written(key):
    assert may_tell(key, False)


def test_a_key_that_the_reader_reads_is_no_suspect_of_it():
    tools = [{"name": "f", "parameters": {}}]
    for key in ("tools", "functions", "available_tools", "tool_schemas"):
        assert suspects("messages", {"messages": CHAT, key: tools}) == []
    assert suspects("adventure", {"text": "> look", "tools": tools}) == ["tools"]


def test_a_recipe_says_which_keys_change_nothing():
    record = {"messages": [{**CHAT[0], "channel": "x"}, CHAT[1]], "image": "x.png"}
    assert suspects("messages", record) == ["image", "messages[].channel"]
    assert suspects("messages", record, ignore=["messages[].channel"]) == ["image"]
    assert suspects("messages", record, ignore=["image", "messages[].channel"]) == []


names = st.sampled_from(
    ["a", "toxic", "image", "a_key_of_many_letters", "ü", "\n", "role", "content", "messages"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
turns = st.lists(st.dictionaries(names, values, max_size=4), max_size=4)
records = st.dictionaries(names | st.just("label"), values, max_size=5)
kept = st.booleans().map(lambda is_list: {"ensure_ascii": is_list})


@given(records, turns | values, kept, st.sampled_from([None, 1]))
@example({"messages": None}, [{"a": False}, {"a": 1}], {"ensure_ascii": False}, None)
def test_the_loop_and_decoding_see_the_same_keys(record, talk, spelling, indent):
    line = json.dumps({**record, "messages": talk}, **spelling, indent=indent).replace("\n", " ").encode()
    keys = Keys(source("messages"))
    (seen,) = keys.shapes([line])
    found = Keys(source("messages")).shape(line)
    if seen is not None:
        assert (set(seen.read), set(seen.ignored), set(seen.suspects)) == tuple(map(set, found))


@given(st.lists(st.tuples(records, turns), min_size=2, max_size=6))
def test_lines_of_one_digest_have_one_shape(lines):
    keys = Keys(source("messages"))
    data = [json.dumps({**record, "messages": talk}).encode() for record, talk in lines]
    for line, digest in zip(data, keys.digests(data).tolist(), strict=True):
        if digest:
            assert set(map(frozenset, keys.of_digest(digest, line))) == set(map(frozenset, keys.shape(line)))


def test_the_loop_takes_what_most_sets_hold():
    line = json.dumps({"id": 7, "messages": CHAT, "meta": {"a": [1, {"b": "}"}]}}).encode()
    assert Keys(source("messages")).digests([line])[0]
    assert Keys(source("qa")).digests([b'{"question": "?", "answer": "!"}'])[0]


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 1, "a": null}',
        b'{"\\u0061": 1}',
        b'{"messages": "[]x"}',
        b'{"messages": [["a"]]}',
        b'{"messages": [{"a": 1, "a": 2}]}',
        b'{"a": NaN}',
        b'{"a": 1} {"b": 2}',
        b'{"a": 1',
        b"[1]",
        b"",
    ],
)
def test_the_loop_leaves_what_is_not_plain(line):
    assert Keys(source("messages")).digests([line])[0] == 0
