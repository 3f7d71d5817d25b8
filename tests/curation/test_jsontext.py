"""Repairs of JSON text, and the elements of a broken array."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.jsontext import compact, elements, mend, strings
from curation.text import UnknownEncoding

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab[]{},"\\\n', max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_text_without_faults_is_left_byte_for_byte(value):
    data = json.dumps(value, ensure_ascii=False).encode()
    assert mend(data) == (data, [])


@pytest.mark.parametrize(
    ("data", "value", "repairs"),
    [
        (b'{"a": "x\x08y\tz"}', {"a": "x\by\tz"}, ["control_character"]),
        (b'{"a": "\x00"}', {"a": "\x00"}, ["control_character"]),
        (b'{"a": "\\ud83d x"}', {"a": "� x"}, ["lone_surrogate"]),
        (b'{"a": "\\ude00\\ud83d\\ude00"}', {"a": "�😀"}, ["lone_surrogate"]),
        (b'{"a": "\\\\ud83d"}', {"a": "\\ud83d"}, []),
        (
            b'{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN"}',
            {"a": None, "b": [None, None], "c": "NaN"},
            ["not_a_number"],
        ),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}, ["byte_order_mark"]),
        ('{"a": "é"}'.encode("cp1252"), {"a": "é"}, ["cp1252"]),
        (b'{"a": 1}, ', {"a": 1}, ["trailing_comma"]),
    ],
)
def test_each_repair(data, value, repairs):
    mended, found = mend(data)
    assert msgspec.json.decode(mended) == value
    assert found == repairs


def test_repairs_leave_numbers_as_they_are_spelt():
    mended, _ = mend(b'{"a": 1.50e+3, "b": 12345678901234567890123, "c": "\x01"}')
    assert mended == b'{"a": 1.50e+3, "b": 12345678901234567890123, "c": "\\u0001"}'


@given(st.binary(max_size=200))
def test_mending_any_bytes_gives_utf8_or_says_no(data):
    with contextlib.suppress(UnknownEncoding):
        mend(b'{"a": "' + data)[0].decode()


def until_break(text):
    """The elements before a break, and what is wrong there."""
    found = []
    try:
        for element in elements(text):
            found.append(element)
    except ValueError as error:
        return found, error.args[0]
    return found, None


@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 2]))
def test_elements_of_a_sound_array(values, indent):
    data = json.dumps(values, indent=indent).encode()
    assert [json.loads(element) for element in elements(data)] == values


@given(st.lists(VALUES, min_size=1, max_size=6), st.data())
def test_a_truncated_array_gives_the_elements_before_the_break(values, data):
    text = json.dumps(values).encode()
    cut = data.draw(st.integers(0, len(text) - 1))
    found, why = until_break(text[:cut])
    assert why in ("the array ends too early", "does not begin with [")
    assert [json.loads(element) for element in found] == values[: len(found)]


@pytest.mark.parametrize(
    ("text", "count", "why"),
    [
        (b'[{"a":1} {"a":2}]', 0, "a comma is missing"),
        (b"[1, 2]]", 2, "text after the end of the array"),
        (b"[1,, 2]", 1, "an element is missing"),
        (b"[1, 2}", 2, "text after the end of the array"),
    ],
)
def test_a_break_says_what_is_wrong(text, count, why):
    found, message = until_break(text)
    assert (len(found), message) == (count, why)


def test_an_element_may_be_faulty_inside_its_brackets():
    assert list(elements(b'[{"a": 1}, {"a": oops}, {"a": 3}]')) == [b'{"a": 1}', b'{"a": oops}', b'{"a": 3}']


def test_a_trailing_comma_is_forgiven():
    assert list(elements(b"[1, 2,]")) == [b"1", b"2"]


def test_compact_keeps_the_spelling_of_values():
    assert compact(b'[ {"b" : 1.0e5,\n "a": "x  y"} ]') == '[{"b":1.0e5,"a":"x  y"}]'


@given(VALUES)
def test_strings_are_all_values_that_are_text_in_order(value):
    def walked(part):
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        return [part] if isinstance(part, str) else [text for one in inner for text in walked(one)]

    assert [*strings(value)] == walked(value)


def test_strings_are_found_at_any_depth():
    value = "deep"
    for _ in range(5000):
        value = [value]
    assert [*strings(value)] == ["deep"]
