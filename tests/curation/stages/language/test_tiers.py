import unicodedata

import pytest

from benchmarks.sentences import SENTENCES
from curation.row import encode, message
from curation.stages.language.models import UNDETERMINED
from curation.stages.language.tiers import languages
from curation.turns.prose import sides

LABELLED = [(code, text) for code, pair in SENTENCES.items() for text in (*pair, "\n".join(pair))]


def test_labelled_sentences_of_32_languages_are_told_apart():
    found = languages([text for _, text in LABELLED])
    wrong = [(code, v) for (code, _), v in zip(LABELLED, found, strict=True) if v.language != code]
    assert wrong == []
    assert {v.by for v in found} == {"script", "words", "py3langid", "langdetect"}


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_kept_language_is_kept(code):
    assert {v.language for v in languages([*SENTENCES[code]], [code])} == {code}


@pytest.mark.parametrize(("size", "most"), [(20, 0.5), (40, 0.08), (80, 0.02)])
def test_of_short_texts_no_english_goes_and_few_others_stay(size, most):
    cut = [(code, text[:size]) for code, pair in SENTENCES.items() for text in pair]
    found = languages([text for _, text in cut])
    stays = [code for (code, _), v in zip(cut, found, strict=True) if v.language in ("en", UNDETERMINED)]
    assert stays.count("en") == 2
    assert len(stays) - 2 <= most * (len(cut) - 2)


def test_common_words_take_no_other_language_for_english():
    others = [text for code, text in LABELLED if code != "en"]
    assert not any(v.by == "words" for v in languages(others))


ENGLISH = [
    "Mononychellus tanajoa",
    "Ficus carica, Prunus avium, Malus domestica",
    "Leonardo da Vinci, Raphael, Titian and Michelangelo",
    "Mumbai\nDelhi\nBangalore\nHyderabad\nAhmedabad\nChennai\nKolkata",
    "Frank-Walter Steinmeier",
    "50 Celsius in Fahrenheit is:",
    "Veggie Quesadilla:\nIngredients:\n- 1 cup salsa\n- 2 tortillas",
    "const axios = require('axios');\n\nasync function load(url) { return axios.get(url) }",
    "12 Rue de Rivoli, 75001 Paris",
    "Can I get a vanilla cappuccino?",
    "The word \u4f60\u597d means hello, and \u518d\u89c1 means goodbye.",
    "The angle \u03b1 is the sum of \u03b2 and \u03b3.",
    "Okay okay okay... okay...",
]


@pytest.mark.parametrize("text", ENGLISH)
def test_names_recipes_plants_code_and_addresses_are_not_ruled_out(text):
    assert languages([text])[0].language in ("en", UNDETERMINED)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Bikuume mu kifo ekinnyogovu.", "lg"),
        ("La rotation pr\u00e9serve la fertilit\u00e9 du sol.", "fr"),
        ("Je suis heureux.", "fr"),
        ("El libro est\u00e1 sobre la mesa.", "es"),
        ("\u8f2a\u4f5c\u306f", "ja"),
        ("\u4e0d\u662f\u3002", "zh"),
        ("\u0414\u0430!", "ru"),
        ("Go Direct Force\u6269\u5c55\u4e2d\u8fd8\u6709Force\u3001Spin Speed\u7b49\u5757\u3002", "zh"),
    ],
)
def test_short_texts_in_other_languages_are_ruled_out(text, language):
    assert languages([text])[0].language == language


def test_a_few_letters_of_a_kept_script_do_not_tell_its_languages_apart():
    assert languages(["\u0414\u0430!"], ["ru"])[0].language == UNDETERMINED
    assert languages(["\u0414\u0430!"], ["en", "de"])[0].language == "ru"


def test_latin_script_rules_out_chinese():
    text = "apples and pears grow best where winters are cold"
    assert languages([text], ["zh"])[0].language == "en"
    assert languages(["Turbo Mode"], ["zh"])[0].language == UNDETERMINED


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
    texts = [sides(encode([message("user", line)]))[0] for line in lines.split("\n")[:100]]
    assert {v.language for v in languages(texts)} <= {"en", UNDETERMINED}
