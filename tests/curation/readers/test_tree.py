import json

import pytest
from shapes import read, said

from curation.turns.shape import Unfit


def reply(text, role="assistant", replies=(), **more):
    return {"text": text, "role": role, "replies": list(replies), **more}


def test_the_best_ranked_reply_is_followed_to_the_last_answer():
    tree = reply(
        "hi",
        "prompter",
        [
            reply("worse", rank=1, replies=[reply("ask", "prompter", [reply("never")])]),
            reply(
                "best", rank=0, replies=[reply("and?", "prompter", [reply("second"), reply("first", rank=3)])]
            ),
            reply("refused", rank=-1, review_result=False),
            reply("gone", rank=-2, deleted=True),
        ],
    )
    expected = [("user", "hi"), ("assistant", "best"), ("user", "and?"), ("assistant", "first")]
    assert said(read("tree", {"message_tree_id": "t", "prompt": tree})) == expected
    assert said(read("tree", tree)) == expected


def test_a_question_that_nobody_answered_is_left_out():
    tree = reply("hi", "prompter", [reply("hello", replies=[reply("and?", "prompter")])])
    assert said(read("tree", tree)) == [("user", "hi"), ("assistant", "hello")]
    with pytest.raises(Unfit, match="no reply"):
        read("tree", reply("hi", "prompter"))


def test_a_tree_may_come_as_a_record_a_turn():
    turns = [
        {"message_id": "3", "parent_id": "1", "text": "best", "role": "assistant", "rank": 0},
        {"message_id": "1", "parent_id": None, "text": "hi", "role": "prompter"},
        {"message_id": "2", "parent_id": "1", "text": "worse", "role": "assistant", "rank": 1},
    ]
    assert said(read("tree", [{"message_tree_id": "1", **turn} for turn in turns])) == [
        ("user", "hi"),
        ("assistant", "best"),
    ]


def export(*nodes, current):
    """Nodes are (id, parent, role, content, more of the message)."""
    mapping = {"root": {"id": "root", "message": None, "parent": None}}
    for name, parent, role, content, more in nodes:
        content = {"content_type": "text", "parts": [content]} if isinstance(content, str) else content
        mapping[name] = {"parent": parent, "message": {"author": {"role": role}, "content": content, **more}}
    return {"title": "t", "mapping": mapping, "current_node": current}


ASKED = ("u", "root", "user", "hi", {})


def test_an_export_is_read_along_what_was_shown_last():
    nodes = [
        ("s", "root", "system", "hidden", {"metadata": {"is_visually_hidden_from_user": True}}),
        ("u", "s", "user", "hi", {}),
        ("a", "u", "assistant", "old", {}),
        ("t", "u", "assistant", {"content_type": "thoughts", "thoughts": [{"content": "Greet."}]}, {}),
        ("b", "t", "assistant", "new", {"recipient": "all"}),
    ]
    row = read("tree", export(*nodes, current="b"))
    assert said(row) == [("user", "hi"), ("assistant", "<think>\nGreet.\n</think>\n\nnew")]
    assert row.notes == [{"stage": "read", "repair": "reasoning_content"}]


def test_what_people_told_of_themselves_is_the_system_prompt():
    told = {
        "content_type": "user_editable_context",
        "user_profile": "A gardener.",
        "user_instructions": "Be brief.",
    }
    row = read("tree", export(("s", "root", "system", told, {}), ("u", "s", "user", "hi", {}), current="u"))
    assert said(row)[0] == ("system", "A gardener.\n\nBe brief.")


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        ({"content_type": "code", "text": "1+1"}, {"recipient": "python"}, "a tool of ChatGPT"),
        ({"content_type": "multimodal_text", "parts": [{"asset_pointer": "x"}]}, {}, "more than text"),
    ],
)
def test_an_export_with_more_than_text_is_no_row(content, more, message):
    with pytest.raises(Unfit, match=message):
        read("tree", export(ASKED, ("a", "u", "assistant", content, more), current="a"))


def test_turns_in_a_circle_and_paths_to_nowhere_are_no_rows():
    circle = [
        {"message_id": str(n), "parent_id": str(1 - n), "text": "x", "role": "assistant"} for n in (0, 1)
    ]
    first = {"message_id": "9", "parent_id": None, "text": "x", "role": "prompter"}
    with pytest.raises(Unfit, match="no reply"):
        read("tree", [first, *circle])
    with pytest.raises(Unfit, match="has no turn gone"):
        read("tree", export(("a", "gone", "user", "hi", {}), current="a"))
    with pytest.raises(Unfit, match="keys found: x"):
        read("tree", json.dumps({"x": 1}).encode())
