import pytest
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from benchmarks.language import agreement, measure
from benchmarks.sentences import SENTENCES
from curation.stages.language.models import ISO, LANGDETECT_SEED, UNDETERMINED, langdetect, langid

LABELLED = [(code, text) for code, pair in SENTENCES.items() for text in (*pair, "\n".join(pair))]


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


def test_the_benchmark_measures_all_three_judges_on_the_same_texts():
    texts = [text for _, text in LABELLED[:12]]
    results = measure(texts, texts)
    assert [result.name for result in results] == ["tiers", "py3langid", "langdetect"]
    assert all(len(result.languages) == 12 and result.rows_per_cpu_s > 0 for result in results)
    table = agreement(texts, results[2].languages)
    assert sum(line.rows for line in table) == 12
    assert all(0 <= line.agreeing <= line.rows for line in table)
