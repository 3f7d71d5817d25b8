"""json_strings: strings change, every other byte stays."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from curation.stages.pii.json_strings import edit_strings


def upper(text: str, before: str) -> str:
    return text.upper()


def test_only_strings_that_change_are_spelt_anew():
    text = '{ "A":1.50,\t"B" : ["\\u00e9x", "OK\\u0041", 12345678901234567890, true]}'
    assert edit_strings(text, upper) == '{ "A":1.50,\t"B" : ["ÉX", "OK\\u0041", 12345678901234567890, true]}'


def test_the_edit_sees_the_key_before_a_value():
    seen = []
    edit_strings('{"phone": "1"}', lambda value, before: seen.append((value, before)) or value)
    assert seen == [("phone", "{"), ("1", '{"phone": ')]


def test_text_that_is_no_json_is_edited_between_its_escapes():
    assert edit_strings("{'a': 'x\\ny', }", upper) == "{'A': 'X\\nY', }"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_an_edit_that_changes_nothing_changes_no_byte(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert edit_strings(text, lambda string, before: string) == text


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_an_edit_keeps_json_valid(value):
    edited = json.loads(edit_strings(json.dumps(value), lambda string, before: string + '"\\'))
    assert list(edited.values()) == [text + '"\\' for text in value.values()][: len(edited)]
