"""pii: masked alike throughout a row, arguments stay JSON, nothing is found twice."""

import json
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe.stages import Pii
from curation.row import decode, frame, message, note, read_notes
from curation.stages.pii.stage import STAGE, found_in, pii
from curation.stages.seam import Context


def masked(*contents: str, **settings_) -> list[str]:
    kept, _ = pii(frame([[{"role": "user", "content": c} for c in contents]]), **settings_)
    return [m["content"] for m in decode(kept["messages"][0])]


def test_a_value_has_one_placeholder_throughout_the_row():
    assert masked("I am jo@x.org", "Jo@X.org? Not al@x.org, +1 415 555 2671?", "+1-415-555-2671") == [
        "I am [EMAIL_1]",
        "[EMAIL_1]? Not [EMAIL_2], [PHONE_1]?",
        "[PHONE_1]",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("my number: (555)-123-4567", "my number: [PHONE_1]"),
        ("api_key\n: 'xyz9Kq81Lm20PqRs7tUv'", "api_key\n: '[SECRET_1]'"),
        ("Bearer\nxyz9Kq81Lm20PqRs7tUv", "Bearer\n[SECRET_1]"),
        ("+44 (20) 7946\u20110958", "[PHONE_1]"),
    ],
)
def test_the_look_ahead_of_the_search_misses_no_spelling(content, expected):
    assert masked(content) == [expected]


def test_arguments_are_masked_and_stay_json():
    call = {
        "id": "1",
        "name": "send",
        "arguments": '{"to": "jo@x.org", "n": 1.50, "text":"hi\\njo\\u0040x.org", "password": "hT7#kk2!zQ"}',
    }
    row = [message("user", "mail jo@x.org"), message("assistant", tool_calls=[call])]
    kept, _ = pii(frame([row]))
    arguments = decode(kept["messages"][0])[1]["tool_calls"][0]["arguments"]
    expected = '{"to": "[EMAIL_1]", "n": 1.50, "text":"hi\\n[EMAIL_1]", "password": "[SECRET_1]"}'
    assert arguments == expected
    assert json.loads(arguments)["to"] == "[EMAIL_1]"


def test_a_card_number_that_is_a_number_becomes_zero():
    call = {
        "id": "1",
        "name": "pay",
        "arguments": '{"card": 4111111111111111, "note": "\\"4111111111111112"}',
    }
    kept, _ = pii(frame([[message("assistant", tool_calls=[call])]]))
    arguments = decode(kept["messages"][0])[0]["tool_calls"][0]["arguments"]
    assert arguments == '{"card": 0, "note": "\\"4111111111111112"}'


def test_broken_arguments_are_masked_between_their_escapes():
    call = {"id": "1", "name": "send", "arguments": "{'to': '\\njo@x.org',}"}
    kept, _ = pii(frame([[message("assistant", tool_calls=[call])]]))
    assert decode(kept["messages"][0])[0]["tool_calls"][0]["arguments"] == "{'to': '\\n[EMAIL_1]',}"


def test_speakers_are_masked_and_names_of_tools_are_not():
    rows = frame(
        [[message("user", "x", name="jo@x.org"), message("tool", "x", name="a@b.io", tool_call_id="1")]]
    )
    kept, _ = pii(rows)
    assert [m["name"] for m in decode(kept["messages"][0])] == ["[EMAIL_1]", "a@b.io"]


def test_numbers_go_on_after_placeholders_of_the_row():
    assert masked("[EMAIL_4] wrote to jo@x.org") == ["[EMAIL_4] wrote to [EMAIL_5]"]


def test_notes_count_by_kind():
    kept, _ = pii(
        frame([[message("user", "jo@x.org al@x.org 142.250.191.14")], [message("user", "nothing")]])
    )
    expected = {"stage": "pii", "repair": "mask", "masked": {"email": 2, "ip": 1}}
    assert read_notes(kept["notes"][0]) == [expected]
    assert kept["notes"][1] is None


def test_drop_names_what_was_found():
    rows = frame([[message("user", "jo@x.org")], [message("user", "nothing")]])
    kept, dropped = pii(rows, action="drop")
    assert kept["pos"].to_list() == [1]
    assert dropped["reason"].to_list() == ["personal_data"]
    assert dropped["detail"].to_list() == ['{"found":{"email":1}}']
    assert read_notes(dropped["notes"][0]) == [
        {"stage": "pii", "flag": "personal_data", "found": {"email": 1}}
    ]


def test_flag_changes_no_text_and_is_set_once():
    rows = frame([[message("user", "jo@x.org")]])
    kept, dropped = pii(rows, action="flag")
    assert kept["messages"].equals(rows["messages"])
    assert dropped.height == 0
    assert pii(kept, action="flag").kept.equals(kept)


def test_only_the_kinds_asked_for():
    assert masked("jo@x.org 555-123-4567", kinds=["phone"]) == ["jo@x.org [PHONE_1]"]
    assert masked("jo@x.org", kinds=[]) == ["jo@x.org"]


def test_stage_binds_its_settings():
    function = STAGE.bind(Pii(action="drop", kinds=["email"]), Context())
    assert function(frame([[message("user", "jo@x.org")]])).dropped.height == 1


def test_empty_frames_pass():
    rows = frame([])
    kept, dropped = pii(rows)
    assert kept.schema == rows.schema
    assert dropped.height == 0


PIECES = [
    *(
        "jo@x.org",
        "+1 415 555 2671",
        "555-123-4567",
        "142.250.191.14",
        "2001:db8:1::7",
        "4111 1111 1111 1111",
    ),
    *(
        "AKIA" + "IOSFODNN7EXAMPLE",
        "password=hT7#kk2!zQ",
        "http://u:p4ss@h.io",
        "phone",
        "@",
        ".",
        "-",
        " ",
        "1",
    ),
    *(
        "[EMAIL_1]",
        "[",
        "]",
        '"',
        "'",
        "\\",
        "\n",
        "=",
        ":",
        "Bearer ",
        "sk-",
        "xyz9Kq81Lm20PqRs7tUv",
        "+",
        "(",
    ),
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=10).map("".join)


@settings(deadline=None)
@given(st.lists(texts, max_size=3), st.dictionaries(texts, texts | st.integers(), max_size=2))
@pytest.mark.parametrize("action", ["mask", "drop", "flag"])
def test_idempotent_and_every_row_has_one_fate(action, contents, arguments):
    call = {"id": None, "name": "f", "arguments": json.dumps(arguments)}
    rows = frame([[message("user", c)] for c in contents] + [[message("assistant", tool_calls=[call])]])
    kept, dropped = pii(rows, action=action)
    assert sorted([*kept["pos"], *dropped["pos"]]) == rows["pos"].to_list()
    again = pii(kept, action=action)
    assert again.kept.equals(kept)
    assert again.dropped.height == 0
    for text in kept["messages"]:
        for m in decode(text):
            for made in m["tool_calls"] or ():
                json.loads(made["arguments"])


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_a_text_is_masked_alike_whatever_else_is_in_its_row(contents):
    together = [re.sub(r"_\d+]", "]", text) for text in masked(*contents)]
    alone = [re.sub(r"_\d+]", "]", text) for content in contents for text in masked(content)]
    assert together == alone


def test_personal_data_is_counted_by_kind():
    notes = [
        note(None, stage="pii", repair="mask", masked={"email": 2, "phone": 1}),
        note(None, stage="pii", flag="personal_data", found={"email": 3}),
        note(None, stage="chat", repair="trimmed"),
    ]
    assert found_in(pl.Series(notes)) == {"email": 5, "phone": 1}
    rows = frame([[message("user", "write to a@b.example.org")], [message("user", "hello")]])
    for action in ("mask", "drop", "flag"):
        assert pii(rows, action=action).counts == {"found": 1, "email": 1}
