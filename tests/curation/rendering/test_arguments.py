import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.rendering.arguments import normal_arguments

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("spelt", "normal"),
    [
        ('{"a":1,"b":[1,2]}', '{"a": 1, "b": [1, 2]}'),
        ('{\n  "a" : "\\u00e9\\/"\n}', '{"a": "é/"}'),
        ('{"n": 1.0, "m": 2.50, "k": 1e3}', '{"n": 1, "m": 2.5, "k": 1000}'),
        ("{}", "{}"),
        # as written: what no float holds, what is no JSON, a key that stands twice
        ('{"big": 123456789012345678901234567890}', '{"big": 123456789012345678901234567890}'),
        ('{"pi":3.14159265358979323846}', '{"pi": 3.14159265358979323846}'),
        ('{"far":1e400,"near":-0.0}', '{"far": 1e400, "near": -0.0}'),
        ('{"a":1,"a":2}', '{"a": 1, "a": 2}'),
        ("not JSON", "not JSON"),
        ('{"half":"\\ud800"}', '{"half":"\\ud800"}'),
        ('{"n":NaN}', '{"n":NaN}'),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_what_a_client_writes_anew_is_the_normal_form(spelt, normal):
    assert normal_arguments(spelt) == normal


@given(VALUES)
def test_it_means_the_same_and_however_it_is_dumped_it_reads_the_same(value):
    text = normal_arguments(json.dumps(value))
    assert json.loads(text) == value
    assert normal_arguments(text) == text
    for dumped in (
        json.dumps(value, ensure_ascii=False),
        json.dumps(value, separators=(",", ":")),
        json.dumps(value, indent=2),
    ):
        assert normal_arguments(dumped) == text
