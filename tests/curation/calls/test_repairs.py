"""Repairs of arguments: only where the meaning is beyond doubt."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.calls.repairs import is_wrapper, strict_json, unwrap

NO_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    # repr() spells characters beyond the 16-bit plane that are not printable as \U…, which is left alone.
    | st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NO_SURROGATES.filter(str.isascii), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NO_SURROGATES.filter(str.isascii), VALUES, max_size=5)


@given(OBJECTS)
def test_what_python_prints_is_read_as_it_was_meant(value):
    assert orjson.loads(strict_json(repr(value))) == value


@given(OBJECTS)
def test_strict_json_means_the_same_afterwards(value):
    assert orjson.loads(strict_json(json.dumps(value))) == value


@given(st.text(max_size=60))
def test_no_text_makes_it_raise_and_what_it_gives_is_json(text):
    strict = strict_json(text)
    assert strict is None or orjson.loads(strict) is not ...


@pytest.mark.parametrize(
    ("text", "strict"),
    [
        ("{'a': 1,}", '{"a": 1}'),
        ('{"a": [1, 2,],}', '{"a": [1, 2]}'),
        ("{'on': True, 'off': False, 'none': None}", '{"on": true, "off": false, "none": null}'),
        ('{"n": 12345678901234567890123, "f": 1.50}', '{"n": 12345678901234567890123, "f": 1.50}'),
        ("{'say': 'it\\'s \"fine\"'}", '{"say": "it\'s \\"fine\\""}'),
        ('{"two": "a\nb"}', '{"two": "a\\u000ab"}'),
        ("", "{}"),
    ],
)
def test_lenient_spellings(text, strict):
    assert strict_json(text) == strict


@pytest.mark.parametrize(
    "text",
    [
        "ls -la",
        "{command: 'ls'}",
        "{'a': 'it's'}",
        '{"path": "C:\\dev"}',
        '{"a": 1',
        "{'a': 1}{'b': 2}",
        '{"a": NaN}',
        "{,}",
        "[1,,2]",
        "{'a': (1, 2)}",
        "{'a': 0x1F}",
        '{"a": "\\ud83d"}',
    ],
)
def test_what_is_not_certain_is_left_alone(text):
    assert strict_json(text) is None


def test_inner_arguments_keep_their_spelling():
    assert unwrap('{"name": "pay", "arguments": {"amount": 10.50}}', "pay") == '{"amount": 10.50}'


def test_a_wrapper_of_another_tool_is_not_opened():
    assert unwrap('{"name": "refund", "arguments": {}}', "pay") is None


def test_a_tool_that_has_such_a_parameter_means_it():
    wrapped = {"name": "sync", "arguments": {}}
    assert is_wrapper(wrapped, frozenset({"command"}))
    assert not is_wrapper(wrapped, frozenset({"name", "arguments"}))
    assert not is_wrapper({**wrapped, "more": 1}, frozenset())
