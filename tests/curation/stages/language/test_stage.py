"""Language: what is kept, what is dropped, and what nobody can tell."""

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
    assert dropped["detail"].to_list()[1] == '{"by":"script","language":"zh","probability":null}'
    assert '"by":"py3langid","language":"de","probability":0.99' in dropped["detail"][0]


def test_what_stays_is_counted():
    found = language(rows(SENTENCES["en"][0], SENTENCES["de"][0], SENTENCES["zh"][0]), keep=["en", "de"])
    assert found.counts == {"rows": 3, "kept": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "14",
        "你",
        "Да!",
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


def test_no_model_is_loaded_by_an_import():
    code = (
        "import sys, curation.stages.language.stage as s\n"
        "print({'langdetect', 'py3langid'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
