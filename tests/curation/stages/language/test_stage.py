"""Language: what is kept, who decides, and that the cheap judges agree with the truth."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from benchmarks.language import agreement, measure
from benchmarks.sentences import SENTENCES
from curation.recipe.kinds import LANGUAGES
from curation.recipe.stages import Language
from curation.row import encode, frame, message
from curation.stages.language.models import (
    ISO,
    LANGDETECT_SEED,
    UNDETERMINED,
    langdetect,
    langid,
    langid_tables,
)
from curation.stages.language.stage import STAGE, language
from curation.stages.language.tiers import SCRIPT_LANGUAGE, languages
from curation.stages.language.words import COUNTED, count_features
from curation.stages.seam import Context
from curation.turns.prose import prose

LABELLED = [(code, text) for code, pair in SENTENCES.items() for text in (*pair, "\n".join(pair))]


def rows(*texts: str) -> pl.DataFrame:
    return frame([[message("user", text), message("assistant", "")] for text in texts])


def test_labelled_sentences_of_32_languages_are_told_apart():
    found = languages([text for _, text in LABELLED])
    wrong = [(code, v) for (code, _), v in zip(LABELLED, found, strict=True) if v.language != code]
    assert wrong == []
    assert {v.by for v in found} == {"script", "words", "py3langid", "langdetect"}


def test_common_words_take_no_other_language_for_english():
    others = [text for code, text in LABELLED if code != "en"]
    assert not any(v.by == "words" for v in languages(others))


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


@pytest.mark.parametrize(
    "text",
    [
        "Name examples of Potassium-based fertilizers.\npotassium sulfate or potassium chloride",
        "Removes files 'junk1', 'junk2', 'junk3'.",
        "Print line number in file",
    ],
)
def test_short_english_that_looks_like_many_languages_is_kept(text):
    assert languages([text])[0].language in ("en", "undetermined")


def test_a_short_chinese_question_about_foreign_terms_is_chinese():
    text = "如何激活 Turbo Mode\nShift+点击 Green Flag 可以激活 Turbo Mode。"
    assert languages([text])[0].language == "zh"


def test_a_short_question_in_another_script_is_no_english():
    short = ["Какая погода?", "今天天气好吗", "날씨 어때요", "อากาศเป็นอย่างไร"]
    assert [v.language for v in languages(short)] == ["ru", "zh", "ko", "th"]


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


def test_every_turn_counts_up_to_its_first_400_characters():
    said = [message("user", "a" * 5000), message("assistant", "b" * 5000)]
    assert prose(encode(said)) == "a" * 400 + "\n" + "b" * 400


def test_text_that_is_not_normalised_is_judged_alike():
    decomposed = [unicodedata.normalize("NFD", text) for _, text in LABELLED]
    assert [v.language for v in languages(decomposed)] == [code for code, _ in LABELLED]


def test_the_walk_over_py3langids_model_says_what_py3langid_says():
    theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    texts = [text for _, text in LABELLED] + ["", "x", "SHOUTED ENGLISH WORDS", "1234", "\x00\x01"]
    for ours, (label, probability) in zip(langid(texts), map(theirs.classify, texts), strict=True):
        assert ours.probability == pytest.approx(probability, abs=1e-4)
        assert ours.language == ISO.get(label, label) or probability < 0.02


def test_arrays_give_what_langdetect_gives():
    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.seed = LANGDETECT_SEED
    texts = [text for _, text in LABELLED] + ["Returns exit code 1. false", "list screen ids", "Usa 你好 da"]
    for text in texts:
        detector = factory.create()
        detector.append(text)
        best = detector.get_probabilities()[0]
        ours = langdetect(text)
        assert (ours.language, ours.probability) == (ISO.get(best.lang, best.lang), round(best.prob, 4))


def test_langdetect_always_answers_alike():
    texts = ["Returns exit code 1. false", "list screen ids", SENTENCES["id"][0]]
    assert [langdetect(t) for t in texts] == [langdetect(t) for t in texts]
    assert langdetect("123 456").language == UNDETERMINED


def test_verdicts_do_not_depend_on_the_batch():
    texts = [text for _, text in LABELLED]
    assert languages(texts) == [languages([text])[0] for text in texts]


def test_scripts_words_and_symbols_are_counted():
    line = dict(zip(COUNTED, count_features(["The garden isn't big; и 你好 = {x}"])[0].tolist(), strict=True))
    counted = {name: n for name, n in line.items() if n}
    assert counted == {"ascii": 17, "cyrillic": 1, "han": 2, "symbols": 4, "words": 7, "english": 1}


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


def test_the_benchmark_measures_all_three_judges_on_the_same_texts():
    texts = [text for _, text in LABELLED[:12]]
    results = measure(texts, texts)
    assert [result.name for result in results] == ["tiers", "py3langid", "langdetect"]
    assert all(len(result.languages) == 12 and result.rows_per_cpu_s > 0 for result in results)
    table = agreement(texts, results[2].languages)
    assert sum(line.rows for line in table) == 12
    assert all(0 <= line.agreeing <= line.rows for line in table)


def test_fast_verdicts_on_real_rows_agree_with_langdetect(corpus):
    lines = (corpus / "aj_context_switching" / "context_switching.jsonl").read_text(encoding="utf-8-sig")
    texts = [prose(encode([message("user", line)])) for line in lines.split("\n")[:100]]
    assert {v.language for v in languages(texts)} <= {"en", UNDETERMINED}


def test_the_languages_that_a_recipe_may_keep_are_those_that_the_stage_can_say():
    detected = (path.name for path in Path(PROFILES_DIRECTORY).iterdir())
    said = {*langid_tables()[0], *detected, *SCRIPT_LANGUAGE.values()}
    assert {ISO.get(label, label) for label in said} - {UNDETERMINED} == LANGUAGES
