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
        (
            {"turns": "c", "each": {"human": "user", "assistant": "assistant"}},
            {"c": [{"assistant": "hello", "human": "hi"}]},
        ),
        ({"turns": "history", "each": {"0": "user", "1": "assistant"}}, {"history": [["hi", "hello"]]}),
        (
            {"turns": "said", "speakers": "who", "roles": {"0": "user", "1": "assistant"}},
            {"said": ["hi", "hello"], "who": [0, 1]},
        ),
        (
            {"turns": "answers", "prompts": "asked", "roles": {"*": "assistant"}},
            {"asked": ["hi"], "answers": ["hello"]},
        ),
        (
            {"by": "id", "order": "n", "role": "who", "roles": {"1": "user", "2": "assistant"}},
            [{"id": 7, "n": "9", "who": 2, "content": "hello"}, {"id": 7, "n": 8, "who": 1, "content": "hi"}],
        ),
        (
            {"text": "t", "roles": {"[INST]": "user", "[/INST]": "assistant", "<s>": "skip", "</s>": "skip"}},
            {"t": "<s>[INST] hi [/INST] hello </s>"},
        ),
        (
            {"text": "t", "roles": {"<|im_start|>user": "user", "<|im_start|>assistant": "assistant",
                                    "<|im_end|>": "skip"}},
            {"t": "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>\n"},
        ),
    ],
    ids=["taskmaster", "topical chat", "crd3", "guanaco", "log", "exchanges", "pairs", "two lists",
         "questions beside", "a record a turn", "inst", "chatml"],
)  # fmt: skip
def test_map_reads_other_shapes(layout, record):
    assert said(read_map(layout, record)) == [("user", "hi"), ("assistant", "hello")]


def test_a_system_prompt_inside_the_first_turn_is_one():
    roles = {"[INST]": "user", "[/INST]": "assistant", "<<SYS>>": "system", "<</SYS>>": "user"}
    text = "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nhi [/INST] hello [INST] and? [/INST] so"
    assert said(read_map({"text": "t", "roles": roles}, {"t": text})) == [
        ("system", "Be brief."),
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "and?"),
        ("assistant", "so"),
    ]


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
    ("layout", "record", "message"),
    [
        (
            {"turns": "c", "each": {"q": "user", "a": "assistant"}},
            {"c": [{"x": "hi"}]},
            "expected one of: q, a",
        ),
        (
            {"turns": "c", "each": {"0": "user", "1": "assistant"}},
            {"c": [["a", "b", "c"]]},
            "none for part 2",
        ),
        (
            {"turns": "c", "speakers": "w", "roles": {"*": "user"}},
            {"c": ["a", "b"], "w": ["x"]},
            "1 speakers",
        ),
        (
            {"by": "id", "order": "n", "roles": {"*": "user"}},
            [{"id": 1, "n": "first", "content": "a"}],
            "expected a number under n, found 'first'",
        ),
    ],
)
def test_map_says_what_a_record_lacks_in_other_shapes(layout, record, message):
    with pytest.raises(Unfit, match=message):
        read_map(layout, record)


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
