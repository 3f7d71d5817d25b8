"""Language: what is kept, what is dropped, and what nobody can tell."""

import json
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sentences import SENTENCES
from curation.recipe.stages import Language
from curation.row import frame, message
from curation.stages.language.models import UNDETERMINED
from curation.stages.language.stage import STAGE, language
from curation.stages.seam import Context


def rows(*texts: str) -> pl.DataFrame:
    return frame([[message("user", text), message("assistant", "")] for text in texts])


def test_kept_languages_stay_and_the_detail_names_the_judge():
    kept, dropped = language(rows(SENTENCES["en"][0], SENTENCES["de"][0], SENTENCES["zh"][0]), keep=["en"])
    assert kept["language"].to_list() == ["en"]
    assert dropped["language"].to_list() == ["de", "zh"]
    assert dropped["reason"].to_list() == ["language", "language"]
    german, chinese = (json.loads(detail) for detail in dropped["detail"])
    assert chinese == {
        "side": "user", "language": "zh", "probability": None, "by": "script", "text": SENTENCES["zh"][0],
    }  # fmt: skip
    assert (german["language"], german["by"]) == ("de", "py3langid")
    assert german["probability"] > 0.99
    assert german["text"] == SENTENCES["de"][0][:80]


def test_what_stays_is_counted():
    found = language(rows(SENTENCES["en"][0], SENTENCES["de"][0], SENTENCES["zh"][0]), keep=["en", "de"])
    assert found.counts == {"rows": 3, "kept": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "14",
        "```python\nprint('der die das und ist nicht')\n```",
        '{"a": [1, 2], "b": {"c": null}}\nx = {"d": (y[0] + 1) ** 2}; f(x) -> g["q"]',
        "awk '{print $5, $9}' /var/log/*.log | sort -u > \"$FILE\" && rm -rf {} \\;",
    ],
)
def test_short_rows_and_code_are_undetermined_and_stay_unless_the_recipe_says_otherwise(text):
    assert language(rows(text)).kept["language"].to_list() == [UNDETERMINED]
    kept, dropped = language(rows(text), undetermined="drop")
    assert kept.height == 0
    assert dropped["reason"].to_list() == ["language"]


def test_code_in_a_fence_does_not_hide_the_language_around_it():
    text = f"{SENTENCES['fr'][0]}\n```sql\nselect the, and, that from which where your = 1\n```\n" * 3
    assert language(rows(text)).dropped["language"].to_list() == ["fr"]


def exchanges(*pairs: tuple[str, str]) -> pl.DataFrame:
    return frame([[message("user", said), message("assistant", answer)] for said, answer in pairs])


def test_each_side_is_judged_by_itself():
    english, german = SENTENCES["en"][0] * 3, SENTENCES["de"][1]
    found = exchanges((english, german), (german, english), (english, english), (german, "42"))
    both, answers = language(found), language(found, judge="answer")
    assert [json.loads(detail)["side"] for detail in both.dropped["detail"]] == ["assistant", "user", "user"]
    assert [json.loads(detail)["side"] for detail in answers.dropped["detail"]] == ["assistant"]
    assert answers.kept["language"].to_list() == ["en", "en", UNDETERMINED]
    assert (both.counts, answers.counts) == ({"rows": 4, "kept": 1}, {"rows": 4, "kept": 3})


def test_a_row_has_the_language_of_its_answer_or_else_of_its_question():
    found = exchanges((SENTENCES["en"][0], SENTENCES["fr"][0]), (SENTENCES["en"][0], "14"))
    assert language(found, keep=["en", "fr"]).kept["language"].to_list() == ["fr", "en"]
    assert language(found, keep=["en", "fr"], undetermined="drop").kept.height == 2


def test_a_quotation_does_not_change_the_language_of_a_side_and_the_larger_share_does():
    english, german, chinese = (SENTENCES[code][0] for code in ("en", "de", "zh"))
    for foreign in (german, chinese):
        quoting = f"{english} They write: {foreign} {english} {english}"
        quoted = f"{english} {foreign} {foreign} {foreign} {foreign} {foreign}"
        kept, dropped = language(exchanges((english, quoting), (english, quoted)))
        assert (kept.height, dropped.height) == (1, 1)
        assert english in kept["messages"][0]


def test_the_evidence_shows_no_personal_data():
    text = "Schreiben Sie bitte an anna.muster@example.org, wenn Sie noch Fragen haben."
    (detail,) = language(exchanges(("ok", text))).dropped["detail"]
    assert json.loads(detail)["text"].startswith("Schreiben Sie bitte an …, wenn")


ANSWERS = [
    "Ebimera byetaaga amazzi n'omusana.",
    "La culture est plus belle au soleil.",
    "Tomaten brauchen sehr viel Wasser.",
    "水が必要です。",
    "Citra扩展里有Tilt、Force等模块。",
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_in_another_language_goes_whatever_its_question_is(answer):
    question = (
        "Please explain in one sentence what these plants need most of all to grow well, and why that is."
    )
    assert language(exchanges((question, answer)), judge="answer").kept.height == 0


def test_a_question_in_another_language_goes_with_both_and_stays_with_answer():
    found = exchanges(("写一个函数来计算平均值。", "def mean(values):\n    return sum(values) / len(values)"))
    assert language(found).kept.height == 0
    assert language(found, judge="answer").kept.height == 1


def test_system_prompts_and_tool_results_are_not_judged():
    said = [
        message("system", SENTENCES["de"][0] * 5),
        message("user", SENTENCES["en"][0]),
        message("tool", SENTENCES["fr"][0] * 5),
        message("assistant", None),
    ]
    assert language(frame([said])).kept["language"].to_list() == ["en"]


@given(st.lists(st.text(max_size=80), max_size=4))
@settings(max_examples=50, deadline=None)
def test_any_text_gets_a_verdict_and_the_stage_is_idempotent(texts):
    once = language(rows(*texts), keep=["en", "de"])
    assert once.kept.height + once.dropped.height == len(texts)
    again = language(once.kept, keep=["en", "de"])
    assert again.kept.equals(once.kept)


def test_an_empty_frame_gains_the_column():
    kept, dropped = language(rows().with_columns(other=pl.lit(1)))
    assert kept.columns == [*frame([]).columns, "other", "language"]
    assert dropped.columns == [*kept.columns, "reason", "detail"]


def test_the_recipe_binds_its_settings():
    bound = STAGE.bind(Language(keep=["fr"], undetermined="drop"), Context())
    kept, _ = bound(rows(SENTENCES["fr"][0], SENTENCES["en"][0], "ok"))
    assert kept["language"].to_list() == ["fr"]
    bound = STAGE.bind(Language(judge="answer"), Context())
    assert bound(exchanges((SENTENCES["fr"][0], SENTENCES["en"][0]))).kept.height == 1


def test_no_model_is_loaded_by_an_import():
    code = (
        "import sys, curation.stages.language.stage as s\n"
        "print({'langdetect', 'py3langid'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
