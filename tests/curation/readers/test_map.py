import pytest
from shapes import read, said, source

from curation.errors import SourceError
from curation.readers.map import mapped
from curation.turns.shape import Unfit


def read_map(layout, record, **settings):
    return read("map", record, map=layout, **settings)


@pytest.mark.parametrize(
    ("layout", "record"),
    [
        (
            {"turns": "talk", "role": "speaker", "content": "text", "roles": {"u": "user", "b": "assistant"}},
            {"talk": [{"speaker": "u", "text": "hi"}, {"speaker": "b", "text": "hello"}]},
        ),
        (
            {"turns": "said", "role": "by", "content": "text", "roles": {"a": "user", "b": "assistant"}},
            {"said": [{"by": "a", "text": "hi"}, {"by": "b", "text": "hello"}]},
        ),
        (
            {"turns": "TURNS", "role": "NAMES", "content": "SAID", "roles": {"DM": "assistant", "*": "user"}},
            {"TURNS": [{"NAMES": ["SAM"], "SAID": ["hi"]}, {"NAMES": ["DM"], "SAID": ["hello"]}]},
        ),
        (
            {"text": "text", "roles": {"### Human:": "user", "### Assistant:": "assistant"}},
            {"text": "### Human: hi### Assistant: hello"},
        ),
        (
            {"text": "log", "roles": {"user:": "user", "bot:": "assistant"}},
            {"log": "user: hi\nbot: hello"},
        ),
    ],
    ids=["taskmaster", "topical chat", "crd3", "guanaco", "log"],
)  # fmt: skip
def test_map_reads_other_shapes(layout, record):
    assert said(read_map(layout, record)) == [("user", "hi"), ("assistant", "hello")]


LAYOUT = {"turns": "t", "role": "r", "content": "c", "roles": {"a": "user", "b": "assistant", "x": "skip"}}


def turns(*pairs):
    return {"t": [{"r": role, "c": content} for role, content in pairs]}


def test_map_joins_neighbours_and_skips_speakers():
    record = turns(("a", "1"), ("a", "2"), ("x", "noise"), ("b", "3"))
    assert said(read_map(LAYOUT, record)) == [("user", "1\n2"), ("assistant", "3")]


def test_map_sets_names_before_what_users_say():
    assert said(read_map({**LAYOUT, "names": True}, turns(("a", "1"), ("b", "2")))) == [
        ("user", "a: 1"),
        ("assistant", "2"),
    ]


def test_map_interleaves_the_questions_of_another_file():
    settings = source(
        "map",
        answers="question.jsonl",
        map={"turns": "choices.0.turns", "roles": {"*": "assistant"}, "join": "id", "prompts": "turns"},
    )
    partner = {"7": b'{"id": 7, "turns": [{"content": "q1"}, "q2"]}'}.get
    convert = mapped(settings, partner)
    row = convert(b'{"id": 7, "choices": [{"turns": [{"content": "a1"}, {"content": "a2"}]}]}')
    assert said(row) == [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")]
    with pytest.raises(Unfit, match="no record with id 8"):
        convert(b'{"id": 8, "choices": [{"turns": []}]}')
    with pytest.raises(Unfit, match="2 prompts but 1 turns"):
        convert(b'{"id": 7, "choices": [{"turns": ["a"]}]}')


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (turns(("z", "1")), "speaker 'z' has no role; map.roles has: a, b, x"),
        ({"tt": []}, "expected one of: t"),
        ({"t": [{"r": "a"}]}, "expected one of: c"),
        ({"t": []}, "no turns"),
    ],
)
def test_map_says_what_it_did_not_find(record, message):
    with pytest.raises(Unfit, match=message):
        read_map(LAYOUT, record)


@pytest.mark.parametrize("layout", [None, {}, {"turns": "a", "text": "b"}, {"text": "b"}])
def test_a_map_that_does_not_say_where_the_turns_are_is_an_error_of_the_recipe(layout):
    with pytest.raises(SourceError, match="map"):
        read_map(layout, {"a": 1})
