"""normalise: equal texts become equal bytes, nothing invisible stays, code keeps its layout."""

import re
import unicodedata
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe.stages import Normalise
from curation.row import decode, frame, read_notes
from curation.stages import normalise as module
from curation.stages.normalise import STAGE, normalise
from curation.stages.seam import Context

NASTY = [
    *"ae\u0301\u0327\t\n\r\x00\x08\x0b\x0c\x1b\x7f\x80\x85\x8d\x92\x9f\u00a0\u00ad\u00c2\u00c3\u00b0\u00e2",
    *"\u20ac\u2122\u00ef\u00f0\u0178\u200b\u200c\u200d\u200e\u200f\u2028\u202a\u202e\u2060\u2066\u2069\ufeff",
    *"\ufffd\uffff\u0627\u0e01\u1100\u1161\u11a8\u0915\u094d\U0001f469\U0001f4bb\ufe0f\U0001f3f4\U000e0067",
    *"\u034f\u115f\u1160\u180b\u180e\u1820\u2800\u3164\ufe00\U000e0100\u4e00\uffa0\u0412\u0402\u00c5\u00b3\u0153",
    *'\U000e007f\u212b\u2126\u1fef`"\\',
    *("e\u0301", "\r\n", "\x1b[31m", "```", "`\x08ash\n", "\n`\n", "\n@@ -1", "\\n", " ", "  ", "\n\n"),
]
texts = st.lists(st.sampled_from(NASTY) | st.text(max_size=3), max_size=12).map("".join)


def cleaned(text: str, role: str = "user", **settings_: str) -> str | None:
    kept, dropped = normalise(frame([[{"role": role, "content": text}]]), **settings_)
    assert dropped.height == 0
    content: str | None = decode(kept["messages"][0])[0]["content"]
    return content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("a\r\nb\rc\x0bd\u2028e", "a\nb\nc\nd\ne"),
        ("a  \nb\t\n  c", "a\nb\n  c"),
        ("\n \n    indented\n", "    indented"),
        ("   \n\t ", ""),
        ("tall\u00a0tree", "tall tree"),
        ("it\x92s", "it\u2019s"),
        ("any\u00adbody\ufeff\u200b", "anybody"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("bell\x07 nul\x00 del\x7f", "bell nul del"),
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07ok", "red ok"),
        ("\u200eleft", "left"),
        ("it\u00e2\u20ac\u2122s 20\u00c2\u00b0 \u00f0\u0178\u2018\x8d", "it\u2019s 20\u00b0 \U0001f44d"),
        (
            "git:\n`\x08ash\ngit pull\n`\nthen\n`\x08ash\nls\n`",
            "git:\n```bash\ngit pull\n```\nthen\n```bash\nls\n```",
        ),
    ],
)
def test_text_is_cleaned(text, expected):
    assert cleaned(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f469\u200d\U0001f4bb writes code",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "\u0e20\u0e32\u0e29\u0e32\u200b\u0e44\u0e17\u0e22",
        "\u05d0\u200f!",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u2764\ufe0f\u200d\U0001f525",
        "def f():\n    return 1\n\n\tx",
        "```diff\n context \n-old  \n+new\t\n```",
        "@@ -1,2 +1,2 @@\n context\n \n-old  \n+new",
        "voil\u00e0\u00a0\u00bb".replace("\u00a0", "\u202f"),
        "\u4f60\u597d\u3000\u4e16\u754c",
        "a tab\tinside, two  spaces inside",
    ],
)
def test_what_is_needed_stays(text):
    assert cleaned(text) == text


def test_french_no_break_space_is_not_mistaken_for_mojibake():
    assert cleaned("\u00ab voil\u00e0\u00a0\u00bb") == "\u00ab voil\u00e0 \u00bb"


def test_tool_results_keep_their_white_space_but_lose_control_characters():
    assert cleaned("  total 4 \nfile\x1b[0m  \n", role="tool") == "  total 4 \nfile  \n"


def test_arguments_tools_and_null_content_stay_as_they_are():
    call = {"id": "1", "name": "f", "arguments": '{"x":  "cafe\u0301 \\u0007\u200b "}'}
    row = [{"role": "user", "content": "go "}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    kept, _ = normalise(frame([row], tools=['[{"name":"f "}]']))
    messages = decode(kept["messages"][0])
    assert messages[1]["tool_calls"] == [call]
    assert messages[1]["content"] is None
    assert kept["tools"].to_list() == ['[{"name":"f "}]']
    assert messages[0]["content"] == "go"


def test_speaker_names_are_cleaned_and_names_of_tools_are_not():
    row = [
        {"role": "user", "content": "hi", "name": " Zoe\u0308\u200b "},
        {"role": "tool", "content": "x", "name": "f "},
    ]
    kept, _ = normalise(frame([row]))
    assert [m["name"] for m in decode(kept["messages"][0])] == ["Zo\u00eb", "f "]


def test_notes_say_what_changed_by_kind():
    kept, _ = normalise(
        frame([[{"role": "user", "content": "a\x00\x01\u00a0b \n"}], [{"role": "user", "content": "b"}]])
    )
    changed = {"control": 2, "nbsp": 1, "space": 1}
    assert read_notes(kept["notes"][0]) == [{"stage": "normalise", "repair": "text", "changed": changed}]
    assert kept["notes"][1] is None


def test_notes_tell_mojibake_from_bytes_of_cp1252():
    texts = ["for\x85 you", "20\u00c2\u00b0 and it\u00e2\u20ac\u2122s"]
    kept, _ = normalise(frame([[{"role": "user", "content": text}] for text in texts]))
    assert [read_notes(notes)[0]["changed"] for notes in kept["notes"]] == [{"cp1252": 1}, {"mojibake": 3}]


def test_replacement_characters_are_flagged_with_their_count():
    rows = frame([[{"role": "user", "content": "caf\ufffd \ufffd"}]])
    kept, _ = normalise(rows)
    flag = {"stage": "normalise", "flag": "replacement_character", "count": 2}
    assert read_notes(kept["notes"][0]) == [flag]
    assert normalise(kept).kept.equals(kept)


def test_replacement_characters_drop_the_row_when_asked():
    rows = frame([[{"role": "user", "content": "caf\ufffd"}], [{"role": "user", "content": "fine"}]])
    kept, dropped = normalise(rows, replacement="drop")
    assert kept["pos"].to_list() == [1]
    assert dropped.select("pos", "reason", "detail").rows() == [(0, "replacement_character", '{"count":1}')]


def test_form_none_leaves_combining_marks():
    assert cleaned("cafe\u0301", form="none") == "cafe\u0301"


def test_other_columns_and_empty_frames_pass():
    rows = frame([[{"role": "user", "content": "a "}]]).with_columns(language=pl.lit("en"))
    kept, dropped = normalise(rows)
    assert kept.columns == rows.columns
    assert rows["messages"][0].count("a ") == 1, "the input frame is left as it was"
    kept, dropped = normalise(rows.clear())
    assert kept.schema == rows.schema
    assert dropped.columns == [*rows.columns, "reason", "detail"]


def test_stage_binds_its_settings():
    function = STAGE.bind(Normalise(replacement="drop"), Context())
    assert function(frame([[{"role": "user", "content": "\ufffd"}]])).dropped.height == 1


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), texts), max_size=3), max_size=4
    )
)
def test_idempotent_and_nothing_is_lost(conversations):
    rows = frame([[{"role": role, "content": text} for role, text in c] for c in conversations])
    kept, dropped = normalise(rows)
    assert normalise(kept).kept.equals(kept)
    assert dropped.height == 0
    assert kept.drop("messages", "notes").equals(rows.drop("messages", "notes"))


@settings(deadline=None)
@given(texts)
def test_the_prefilter_misses_nothing(text):
    """Whatever `clean` would change is seen in the JSON text."""
    assert cleaned(text) == module.trim_space(cleaned_without_prefilter(text))


def cleaned_without_prefilter(text: str) -> str:
    return module.clean(text, "NFC", Counter())


@given(st.text(alphabet="ab `@-1\\\t\n\r\x08\x0b\x1b\x7f", max_size=30))
def test_ascii_rows_without_odd_escapes_need_only_their_space_trimmed(text):
    assert cleaned(text) == module.clean(text, "NFC", Counter())


def test_every_character_that_nfc_may_change_is_looked_for():
    everything = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    unsettled = set(pl.Series([everything]).str.extract_all(f"[{module._UNSETTLED}]").explode().to_list())
    changed = {c for c in everything if not unicodedata.is_normalized("NFC", c)}
    marks = {c for c in everything if unicodedata.combining(c)}
    seconds = {
        chr(int(unicodedata.decomposition(c).split()[1], 16))
        for c in everything
        if re.fullmatch(r"[0-9A-F]+ [0-9A-F]+", unicodedata.decomposition(c))
    }
    jamo = set(map(chr, range(0x1161, 0x1176))) | set(map(chr, range(0x11A8, 0x11C3)))
    assert not (changed | marks | seconds | jamo) - unsettled
