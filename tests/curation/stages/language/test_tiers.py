import unicodedata

import pytest

from benchmarks.sentences import SENTENCES
from curation.row import encode, message
from curation.stages.language.models import UNDETERMINED
from curation.stages.language.tiers import languages
from curation.turns.prose import prose

LABELLED = [(code, text) for code, pair in SENTENCES.items() for text in (*pair, "\n".join(pair))]


def test_labelled_sentences_of_32_languages_are_told_apart():
    found = languages([text for _, text in LABELLED])
    wrong = [(code, v) for (code, _), v in zip(LABELLED, found, strict=True) if v.language != code]
    assert wrong == []
    assert {v.by for v in found} == {"script", "words", "py3langid", "langdetect"}


def test_common_words_take_no_other_language_for_english():
    others = [text for code, text in LABELLED if code != "en"]
    assert not any(v.by == "words" for v in languages(others))


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


def test_text_that_is_not_normalised_is_judged_alike():
    decomposed = [unicodedata.normalize("NFD", text) for _, text in LABELLED]
    assert [v.language for v in languages(decomposed)] == [code for code, _ in LABELLED]


def test_verdicts_do_not_depend_on_the_batch():
    texts = [text for _, text in LABELLED]
    assert languages(texts) == [languages([text])[0] for text in texts]


def test_fast_verdicts_on_real_rows_agree_with_langdetect(corpus):
    lines = (corpus / "aj_context_switching" / "context_switching.jsonl").read_text(encoding="utf-8-sig")
    texts = [prose(encode([message("user", line)])) for line in lines.split("\n")[:100]]
    assert {v.language for v in languages(texts)} <= {"en", UNDETERMINED}
