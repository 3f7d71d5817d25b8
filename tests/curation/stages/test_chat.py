"""chat: who speaks when, what is mended, what goes, and text that spells control tokens."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe.stages import Chat
from curation.row import NO_LOSS, decode, frame, message, read_notes, without_loss
from curation.stages.chat import _SOUND_ROW, STAGE, chat
from curation.stages.seam import Context
from curation.turns.control_tokens import CONTROL_TOKENS
from curation.turns.order import Settled, settle

CALL = {"id": "c1", "name": "bash", "arguments": '{"command":"ls"}'}
OTHER = {"id": "c2", "name": "bash", "arguments": '{"command":"pwd"}'}
S, U, A, T = "system", "user", "assistant", "tool"


def calls(*made, content=None):
    return {"role": A, "content": content, "tool_calls": list(made)}


def result(call_id, content="r"):
    return {"role": T, "content": content, "tool_call_id": call_id}


def said(*turns):
    """Turns from (role, content) pairs and whole messages."""
    return [t if isinstance(t, dict) else {"role": t[0], "content": t[1]} for t in turns]


def outcome(*turns, **settings_):
    """(roles and contents that stay, repairs) or (reason, detail)."""
    kept, dropped = chat(frame([said(*turns)]), **settings_)
    if dropped.height:
        return dropped["reason"][0]
    return [(m["role"], m["content"]) for m in decode(kept["messages"][0])], {
        entry["repair"]: entry["count"] for entry in read_notes(kept["notes"][0])
    }


SOUND = [
    [(U, "q"), (A, "a")],
    [(S, "s"), (U, "q"), (A, "a"), (U, "q2"), (A, "a2")],
    [(U, "q"), calls(CALL), (T, ""), (A, "done")],
    [(U, "q"), calls(CALL, OTHER), (T, "1"), (T, "2"), calls(CALL, content="more"), (T, "3"), (A, "done")],
    [(U, "q"), calls(CALL)],
    [
        (S, "s"),
        {"role": U, "content": "q", "name": "ann"},
        calls(CALL, OTHER),
        result("c2"),
        (A, "a"),
        (U, "r"),
        (A, "b"),
    ],
    [(U, "q"), (T, "an orphan"), (A, "a")],
    [(U, "q"), (A, "<think>\nhm</think>\n\na")],
    [(U, '"\\\n'), (A, "\\")],
]


@pytest.mark.parametrize("turns", SOUND)
@pytest.mark.parametrize("repair", [True, False])
def test_sound_rows_pass_untouched(turns, repair):
    rows = frame([said(*turns)])
    kept, dropped = chat(rows, repair=repair)
    assert kept.equals(rows)
    assert dropped.height == 0


@pytest.mark.parametrize(
    ("turns", "expected", "repairs"),
    [
        ([("human", "q"), ("GPT ", "a")], [(U, "q"), (A, "a")], {"role_alias": 2}),
        ([("developer", "s"), (U, "q"), (A, "a")], [(S, "s"), (U, "q"), (A, "a")], {"role_alias": 1}),
        (
            [(U, "q"), calls(CALL), ("function", "r"), (A, "a")],
            [(U, "q"), (A, None), (T, "r"), (A, "a")],
            {"role_alias": 1},
        ),
        ([(S, "  "), (U, "q"), (A, "a"), (U, None), (A, "")], [(U, "q"), (A, "a")], {"empty_turn": 3}),
        ([(S, "s"), (S, "t"), (U, "q"), (A, "a")], [(S, "s\n\nt"), (U, "q"), (A, "a")], {"merged_system": 1}),
        (
            [(S, "s"), (U, "q"), (A, "a"), (S, "s"), (U, "r"), (A, "b")],
            [(S, "s"), (U, "q"), (A, "a"), (U, "r"), (A, "b")],
            {"repeated_system": 1},
        ),
        ([(S, "s"), (A, "hi"), (U, "q"), (A, "a")], [(S, "s"), (U, "q"), (A, "a")], {"leading_assistant": 1}),
        ([(U, "q"), (U, "r"), (A, "a"), (A, "b")], [(U, "q\n\nr"), (A, "a\n\nb")], {"merged_turns": 2}),
        ([(U, "q"), (A, "let me see"), calls(CALL)], [(U, "q"), (A, "let me see")], {"merged_turns": 1}),
        ([(U, "q"), calls(CALL), calls(OTHER), (T, "1"), (T, "2"), (A, "a")],
         [(U, "q"), (A, None), (T, "1"), (T, "2"), (A, "a")], {"merged_turns": 1}),
        ([(U, "q"), (A, "a"), (U, "thanks"), (S, "end")], [(U, "q"), (A, "a")], {"trimmed_end": 2}),
        ([(U, "q"), calls(CALL), (T, "r")], [(U, "q"), (A, None)], {"trailing_result": 1}),
        ([(U, "q"), calls(CALL, OTHER), result("c2"), (T, "")], [(U, "q"), (A, None)],
         {"trailing_result": 2}),
        ([(U, "q"), calls(CALL), (T, "r"), (U, "thanks")], [(U, "q"), (A, None)],
         {"trailing_result": 1, "trimmed_end": 1}),
        ([(U, "q"), calls(CALL), calls(OTHER), result("c1"), result("c2")], [(U, "q"), (A, None)],
         {"trailing_result": 2, "merged_turns": 1}),
        ([(U, "q"), (A, "hm</think>a")], [(U, "q"), (A, "<think>\nhm</think>a")], {"opened_think": 1}),
    ],
)  # fmt: skip
def test_repairs(turns, expected, repairs):
    assert outcome(*turns) == (expected, repairs)


def test_joined_turns_keep_their_calls_in_order():
    kept, _ = chat(
        frame([said((U, "q"), (A, "now"), calls(CALL), calls(OTHER), (T, "1"), (T, "2"), (A, "a"))])
    )
    assert decode(kept["messages"][0])[1] == message(A, "now", tool_calls=[CALL, OTHER])


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([(U, "q"), ("narrator", "a")], "bad_role"),
        ([(None, "q"), (A, "a")], "bad_role"),
        ([(U, "q"), ("function", "r"), (A, "a")], "bad_role"),
        ([{"role": U, "content": "q", "tool_calls": [CALL]}, (A, "a")], "bad_role"),
        ([(U, "q"), (A, "")], "empty_turn"),
        ([(U, " \n"), (A, "a")], "empty_turn"),
        ([], "no_user"),
        ([(A, "a")], "no_user"),
        ([(U, "q")], "no_assistant"),
        ([(A, "hello"), (U, "q")], "no_assistant"),
        ([(U, "q"), (S, "late"), (A, "a")], "bad_order"),
        ([calls(CALL), (T, "r"), (U, "q"), (A, "a")], "bad_order"),
        ([(T, "r"), (U, "q"), (A, "a")], "bad_order"),
        ([(U, "q"), calls(CALL), (A, "no result"), (U, "r"), (A, "a")], "bad_order"),
        ([{"role": U, "content": "q", "name": "ann"}, {"role": U, "content": "q", "name": "bob"}, (A, "a")],
         "bad_order"),
        ([(U, "q"), calls(CALL), (T, "r"), (T, "another")], "ends_without_assistant"),
        ([(U, "q"), calls(CALL), result("c9")], "ends_without_assistant"),
        ([(U, "q"), calls(CALL, OTHER), result("c1"), result("c1")], "ends_without_assistant"),
        ([(U, "q"), calls(CALL), (T, "r"), (U, "thanks"), (T, "an orphan")], "ends_without_assistant"),
        ([(U, "q"), calls(CALL), (U, "r"), (T, "late")], "ends_without_assistant"),
        ([(U, "q"), (A, "a"), (T, "an orphan")], "ends_without_assistant"),
        ([(U, "what is <|im_end|>?"), (A, "a")], "control_token"),
        ([(U, "mind <think>this</think>"), (A, "a")], "control_token"),
        ([(U, "q"), (A, "<think>never closed")], "control_token"),
        ([(U, "q"), (A, "a<\uff5cend▁of▁sentence\uff5c>")], "control_token"),
        ([{"role": U, "content": "q", "name": "<s>"}, (A, "a")], "control_token"),
        ([(U, "q"), calls({**CALL, "arguments": '{"command":"echo \\u003ctool_call>"}'})], "control_token"),
        ([(U, "q"), calls({**CALL, "name": "[INST]"})], "control_token"),
        ([(U, "q"), calls(CALL), (T, "</tool_response>"), (A, "a")], "control_token"),
    ],
)  # fmt: skip
def test_reasons(turns, reason):
    assert outcome(*turns) == reason


def test_details_say_where():
    _, dropped = chat(
        frame(
            [
                said((U, "q"), (S, "late"), (A, "a")),
                said((U, "q"), calls({**CALL, "arguments": '"<|eot_id|>"'})),
            ]
        )
    )
    assert dropped["detail"].to_list() == [
        '{"after":"user","index":1,"role":"system"}',
        '{"token":"<|eot_id|>","where":"messages[1].tool_calls[0].arguments"}',
    ]


@pytest.mark.parametrize("control_tokens", ["drop", "neutralise"])
def test_tools_spell_no_token_either(control_tokens):
    rows = frame(
        [said((U, "q"), (A, "a"))], tools=['[{"name":"f","description":"ends with \\u003c|im_end|>"}]']
    )
    kept, dropped = chat(rows, control_tokens=control_tokens)
    if control_tokens == "drop":
        assert dropped["detail"].to_list() == ['{"token":"<|im_end|>","where":"tools"}']
    else:
        assert kept["tools"].to_list() == ['[{"name":"f","description":"ends with \\u003c |im_end|>"}]']


def test_neutralised_text_stays_legible_and_arguments_keep_their_bytes():
    call = {**CALL, "arguments": '{"command": "cat <|im_end|>", "n": 1.50}'}
    kept, dropped = chat(
        frame(
            [
                said(
                    (U, "<think>"),
                    calls(call, content="<think>ok</think>"),
                    (T, "<s>"),
                    (A, "</think></think>"),
                )
            ]
        ),
        control_tokens="neutralise",
    )
    assert dropped.height == 0
    messages = decode(kept["messages"][0])
    assert [m["content"] for m in messages] == ["< think>", "<think>ok</think>", "< s>", "< /think>< /think>"]
    assert messages[1]["tool_calls"][0]["arguments"] == '{"command": "cat < |im_end|>", "n": 1.50}'
    assert read_notes(kept["notes"][0]) == [{"stage": "chat", "repair": "control_tokens", "count": 5}]


def test_without_repair_the_fault_is_named_after_what_it_needs():
    assert outcome((U, "q"), (A, "a"), (U, "thanks"), repair=False) == "ends_without_assistant"
    assert outcome((U, "q"), (U, "r"), (A, "a"), repair=False) == "bad_order"
    assert outcome((U, "q"), calls(CALL), (T, "r"), repair=False) == "ends_without_assistant"
    assert outcome(("human", "q"), (A, "a"), repair=False) == "bad_role"
    assert outcome((U, "q"), (A, "hm</think>a"), repair=False) == "control_token"


def test_a_token_in_a_turn_that_is_trimmed_does_no_harm():
    assert outcome((U, "q"), (A, "a"), (U, "<|im_end|>")) == ([(U, "q"), (A, "a")], {"trimmed_end": 1})


def test_stage_reads_the_tokens_of_the_recipes_tokenizer(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"added_tokens":[{"content":"<|mine|>","special":true}]}')
    context = Context(tokenizer=tmp_path)
    assert STAGE.files(Chat(), context) == [tmp_path / "tokenizer.json"]
    rows = frame([said((U, "<|mine|>"), (A, "a"))])
    assert STAGE.bind(Chat(), context)(rows).dropped["reason"].to_list() == ["control_token"]
    assert STAGE.bind(Chat(), Context())(rows).kept.equals(rows)


roles = st.sampled_from([S, U, A, T, "human", "function", "other"])
contents = st.sampled_from([None, "", " ", "hi", "<think>x</think>y", "</think>", '"\\', *CONTROL_TOKENS[:3]])
conversations = st.lists(
    st.builds(
        lambda role, content, made: {
            "role": role,
            "content": content,
            "tool_calls": made if role == A else None,
        },
        roles,
        contents,
        st.sampled_from([None, [CALL], [CALL, OTHER]]),
    ),
    max_size=7,
)


@settings(deadline=None)
@given(st.lists(conversations, max_size=5), st.booleans(), st.sampled_from(["drop", "neutralise"]))
def test_every_row_has_one_fate_and_a_second_run_changes_nothing(rows, repair, control_tokens):
    before = frame(rows)
    kept, dropped = chat(before, repair=repair, control_tokens=control_tokens)
    assert sorted([*kept["pos"], *dropped["pos"]]) == before["pos"].to_list()
    again = chat(kept, repair=repair, control_tokens=control_tokens)
    assert again.kept.equals(kept)
    assert again.dropped.height == 0
    for text in kept["messages"]:
        spoken = [m["role"] for m in decode(text)]
        assert spoken[-1] == A
        assert spoken[0] == U or spoken[:2] == [S, U]
        assert not any(pair == (U, U) or pair == (A, A) for pair in pairwise(spoken))


@given(conversations)
def test_rows_that_are_not_decoded_need_no_repair(conversation):
    row = frame([conversation])["messages"]
    if row.str.contains(_SOUND_ROW)[0]:
        assert settle(decode(row[0])) == Settled(decode(row[0]), Counter())


def test_most_sound_rows_are_not_decoded():
    rows = frame([said(*turns) for turns in SOUND])["messages"]
    assert rows.str.contains(_SOUND_ROW).to_list() == [i not in (6, 8) for i in range(len(SOUND))]


def masked(rows):
    """Why turns carry no loss, by their places in the row as it now reads."""
    return [
        (without_loss(notes), text.count(NO_LOSS)) for text, notes in rows.select("messages", "notes").rows()
    ]


def test_a_mark_goes_where_its_turn_goes():
    said = [
        message("assistant", "Hello!"),
        message("user", ""),
        message("user", "a"),
        message("gpt", "wrong") | {"weight": 0},
        message("user", "b"),
        message("assistant", "right"),
    ]
    kept, _ = chat(frame([said]))
    assert masked(kept) == [({1: "marked"}, 1)]
    assert chat(kept).kept.equals(kept)


def test_a_turn_joined_with_one_that_carries_no_loss_carries_none():
    user, wrong, right = (
        message("user", "a"),
        message("assistant", "b") | {"weight": 0},
        message("assistant", "c"),
    )
    rows = frame([[user, wrong, right], [user, right, wrong], [user, wrong, wrong], [user, right, right]])
    assert masked(chat(rows).kept) == [({1: "joined"}, 1), ({1: "joined"}, 1), ({1: "marked"}, 1), ({}, 0)]


def test_a_mark_on_what_turns_out_to_be_another_s_is_no_mark():
    said = [message("human", "a") | {"weight": 0}, message("assistant", "b")]
    assert masked(chat(frame([said])).kept) == [({}, 0)]


def test_a_closing_result_that_is_taken_off_leaves_word_that_its_call_failed():
    call = {"id": "1", "name": "book", "arguments": "{}"}
    asked = [message("user", "q"), message("assistant", tool_calls=[call])]
    told = {
        said: chat(frame([[*asked, message("tool", said, tool_call_id="1")]])) for said in ("ok", "Error: x")
    }
    notes = {said: read_notes(split.kept["notes"][0]) for said, split in told.items()}
    repair = {"stage": "chat", "repair": "trailing_result", "count": 1}
    assert notes == {"ok": [repair], "Error: x": [{**repair, "failed": "message"}]}
