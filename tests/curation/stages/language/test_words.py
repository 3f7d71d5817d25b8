from curation.stages.language.words import COUNTED, count_features


def test_scripts_words_and_symbols_are_counted():
    line = dict(zip(COUNTED, count_features(["The garden isn't big; и 你好 = {x}"])[0].tolist(), strict=True))
    counted = {name: n for name, n in line.items() if n}
    assert counted == {"ascii": 17, "cyrillic": 1, "han": 2, "symbols": 4, "words": 7, "english": 2}
