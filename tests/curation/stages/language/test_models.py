import pytest
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from benchmarks.language import agreement, measure
from benchmarks.sentences import SENTENCES
from curation.stages.language.models import ISO, UNDETERMINED, langdetect, langid

LABELLED = [(code, text) for code, pair in SENTENCES.items() for text in (*pair, "\n".join(pair))]
TEXTS = [text for _, text in LABELLED]


def test_the_walk_over_py3langids_model_says_what_py3langid_says():
    theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    texts = [*TEXTS, "", "x", "SHOUTED ENGLISH WORDS", "1234", "\x00\x01"]
    ours = langid(texts)
    for row, (label, probability) in enumerate(map(theirs.classify, texts)):
        language, chance = ours.best(row, frozenset(ours.languages))
        # Dialects of one language are added up.
        assert chance == pytest.approx(probability, abs=1e-4) or chance > probability
        assert language == ISO.get(label, label) or probability < 0.02


def test_the_walk_over_langdetects_profiles_says_what_langdetect_says():
    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.seed = 17
    ours = langdetect(TEXTS)
    for row, text in enumerate(TEXTS):
        detector = factory.create()
        detector.append(text)
        found = detector.detect()
        assert ours.best(row, frozenset(ours.languages))[0] == ISO.get(found, found)


def test_a_text_says_the_same_in_any_company():
    alone = [langdetect([text]).chances[0] for text in TEXTS[:9]]
    assert all((langdetect(TEXTS[:9]).chances[row] == one).all() for row, one in enumerate(alone))


@pytest.mark.parametrize("judge", [langid, langdetect])
def test_a_judge_answers_within_the_languages_asked_for(judge):
    judged = judge([SENTENCES["nl"][0]])
    assert judged.best(0, frozenset({"en", "nl"}))[0] == "nl"
    assert judged.best(0, frozenset({"tlh"})) == (UNDETERMINED, 0.0)
    assert judged.odds(0, frozenset({"nl"}), frozenset({"en"})) > 0
    assert judged.odds(0, frozenset({"en"}), frozenset({"nl"})) < 0
    assert judged.odds(0, frozenset({"nl", "tlh"}), frozenset({"en"})) == 0


def test_the_benchmark_measures_all_three_judges_on_the_same_texts():
    texts = TEXTS[:12]
    results = measure(texts, texts)
    assert [result.name for result in results] == ["tiers", "py3langid", "langdetect"]
    assert all(len(result.languages) == 12 and result.rows_per_cpu_s > 0 for result in results)
    table = agreement(texts, results[2].languages)
    assert sum(line.rows for line in table) == 12
    assert all(0 <= line.agreeing <= line.rows for line in table)


def test_the_benchmark_tells_what_is_lost_and_what_stays_of_short_sentences(tmp_path, capsys):
    from benchmarks.language import main

    for code in ("en", "fr"):
        (tmp_path / f"{code}.txt").write_text("\n".join(SENTENCES[code]), encoding="utf-8")
    main(["--sentences", str(tmp_path)])
    assert "40 characters: English lost 0.00%, of 1 others stay 0.00%" in capsys.readouterr().out
