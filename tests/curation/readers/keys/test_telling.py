"""Which values of keys that are not read change what a row says, and which change nothing."""

import pytest
from shapes import HELLO, found

from curation.sources.records import Refused
from curation.turns.shape import Row

QA = {"question": "What is it?", "answer": "It is a tree."}


def made(reader, record, **settings):
    (one,) = found(reader, record, **settings)
    return one


@pytest.mark.parametrize(
    "beside",
    [
        {"image": "leaf.png"},
        {"images": [{"bytes": True, "path": None}]},
        {"videos": ["a.mp4"]},
        {"label": False},
        {"label": "False"},
        {"kto_tag": False},
        {"rejected": True},
        {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        {"xml_tools": ['{"name": "f", "description": "looks a word up"}']},
        {"chat_template_kwargs": {"custom_instructions": "Speak like a gardener.", "enable_thinking": True}},
        {"past_user_inputs": ["What is that?"]},
        {"background": "A text on trees."},
        {"options": ["a tree", "a shrub"]},
        {"analysis": "It has leaves, so it may be a tree."},
        {"thinking_trajectories": ["It has leaves, so it may be a tree."]},
    ],
)
def test_a_row_with_a_key_that_says_more_is_refused(beside):
    one = made("qa", {**QA, **beside})
    assert isinstance(one, Refused)
    assert one.key in beside
    assert one.value


@pytest.mark.parametrize(
    "beside",
    [
        {"image": None},
        {"image": ""},
        {"image": "null"},
        {"images": []},
        {"images": [None, {"bytes": None, "path": None}]},
        {"label": True},
        {"label": "positive"},
        {"label": 0},
        {"kto_tag": None},
        {"rejected": "Go away."},
        {"chosen": "It is a tree."},
        {"xml_tools": []},
        {"api_list": ["weather", "bash"]},
        {"chat_template_kwargs": {"enable_thinking": True, "python_tools": []}},
        {"analysis": "high"},
        {"reasoning_details": []},
        {"background": "It is a tree."},
        {"loss": 0.25},
        {"train": True},
        {"id": 3, "source": "wiki", "score": 0.5, "toxic": True},
    ],
)
def test_a_key_that_says_nothing_changes_nothing(beside):
    one = made("qa", {**QA, **beside})
    assert isinstance(one, Row)
    assert [message["content"] for message in one.messages] == [*QA.values()]


@pytest.mark.parametrize(
    "beside",
    [
        {"channel": "analysis"},
        {"recipient": "functions.look_up"},
        {"prefix": True},
        {"refusal": "I will not say that."},
        {"audio": {"id": "a1", "data": "UklGRg=="}},
        {"images": ["UklGRg=="]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "One hello for another."}]},
        {"tool_plan": "I look the word up first."},
    ],
)
def test_so_it_is_with_keys_of_turns(beside):
    one = made("messages", {"messages": [HELLO[0], {**HELLO[1], **beside}]})
    assert isinstance(one, Refused)
    assert one.key == f"messages[].{next(iter(beside))}"


@pytest.mark.parametrize(
    "beside",
    [
        {"channel": "final"},
        {"recipient": "all"},
        {"prefix": False},
        {"refusal": None},
        {"refusal": "hello"},
        {"audio": None},
        {"images": []},
        {"reasoning_details": []},
        {"annotations": [{"url": "https://example.org"}]},
        {"toxic": True, "id": "x"},
    ],
)
def test_a_key_of_turns_that_says_nothing_changes_nothing(beside):
    assert isinstance(made("messages", {"messages": [HELLO[0], {**HELLO[1], **beside}]}), Row)


def test_a_preferred_answer_counts_where_the_turns_have_none():
    asked = [{"from": "human", "value": "hi"}]
    answered = [*asked, {"from": "gpt", "value": "hello"}]
    chosen = {"from": "gpt", "value": "hello"}
    assert isinstance(made("sharegpt", {"conversations": asked, "chosen": chosen}), Refused)
    assert isinstance(made("sharegpt", {"conversations": answered, "chosen": chosen}), Row)


def test_where_is_asked_before_the_keys_are():
    record = {**QA, "label": False}
    assert made("qa", record, where={"label": True}).column == "label"
    assert isinstance(made("qa", record, where={"label": False}), Row)
    assert isinstance(made("qa", record, ignore=["label"]), Row)
