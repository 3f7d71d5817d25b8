"""The benchmark of personal data counts what it should."""

import json
import random
import re

from benchmarks.personal_data import Planted, in_code, is_clean, is_hidden, labelled, made


def test_a_value_of_a_shape():
    value = made(r"gl.[a-c_\-]{5}[0-9]x", random.Random(1))
    assert re.fullmatch(r"gl\.[abc_-]{5}[0-9]x", value)


def test_hidden_is_what_no_one_can_use():
    assert is_hidden(Planted("x", "email", "to ana@firma.example.", "ana@firma.example"))
    assert not is_hidden(Planted("x", "email", "to ana at firma.example", "ana at firma.example"))
    assert not is_clean(Planted("x", "email", "to b.ana@firma.example", "ana@firma.example"))


def test_labelled_sentences_and_files_of_code(tmp_path):
    span = {"entity_type": "EMAIL_ADDRESS", "entity_value": "ana@firma.example"}
    sentence = {
        "full_text": "to ana@firma.example",
        "spans": [span, {"entity_type": "AGE", "entity_value": "9"}],
    }
    path = tmp_path / "sentences.json"
    path.write_text(json.dumps([sentence]))
    assert [(one.kind, one.value) for one in labelled(path)] == [("email", "ana@firma.example")]
    (tmp_path / "a.py").write_text("# ana@firma.example, host = '5.6.7.88', '192.0.2.1'\n" + "x = 1\n" * 60)
    assert [finding.value for _, finding, _ in in_code(tmp_path, 1)] == ["5.6.7.88"]
