"""YAML read strictly, with positions."""

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import RecipeError
from curation.recipe import yaml_lines
from curation.recipe.yaml_lines import key_name, parse_yaml, read_yaml


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _each_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML without libyaml")
    monkeypatch.setattr(yaml_lines, "LOADER", getattr(yaml, request.param))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5),
        ("2.0e-5", 2e-5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-3", -3),
        ("0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("2.0.0", "2.0.0"),
        ("2027-01-31", "2027-01-31"),
        ("12:30:45", "12:30:45"),
        ("127_366", "127_366"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("'17'", "17"),
        ('"true"', "true"),
        ("|\n  17", "17"),
        ("=", "="),
    ],
)
@pytest.mark.usefixtures("_each_parser")
def test_scalars_follow_yaml_1_2(text, value):
    read = parse_yaml(f"key: {text}", "r.yaml").value["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.usefixtures("_each_parser")
def test_every_key_and_item_knows_its_line():
    document = parse_yaml("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "r.yaml")
    assert document.value == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert [document.line(p) for p in [("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "d")]] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert document.line(("b", 1, "absent")) == 4
    assert document.line(("absent",)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "r.yaml: empty; run `aj init FOLDER` for a first recipe"),
        ("# only a comment\n", "r.yaml: empty; run `aj init FOLDER` for a first recipe"),
        ("a: 1\na: 2", "r.yaml:2: key 'a' is written twice (first on line 1); remove one of the two"),
        (
            "s:\n  b: 1\n  b: 1",
            "r.yaml:3: s: key 'b' is written twice (first on line 2); remove one of the two",
        ),
        ("a: &x 1", "r.yaml:1: a: anchor '&x'; write the value out, anchors are not supported"),
        ("a: 1\nb: *x", "r.yaml:2: b: alias '*x'; write the value out, aliases are not supported"),
        (
            "a: !!python/name:os.system x",
            "r.yaml:1: a: tag 'tag:yaml.org,2002:python/name:os.system'; write the plain value, tags are not"
            " supported",
        ),
        ("a:\n\tb: 1", "r.yaml:2: a tab in the indentation; YAML is indented with spaces"),
        (
            "a: 1\n---\nb: 2",
            "r.yaml:2: a second document starts here; a recipe is one document, without '---'",
        ),
        ("a: 017", "r.yaml:1: a: '017' has a leading zero; write 17, or quote it if it is text"),
        ("a: .inf", "r.yaml:1: a: '.inf' is not a finite number; quote it if it is text"),
        ("a: 1e999", "r.yaml:1: a: '1e999' is not a finite number; quote it if it is text"),
        (
            "a: 99999999999999999999",
            "r.yaml:1: a: the number 99999999999999999999 is beyond 64 bits; quote it if it is text",
        ),
        (
            "a: b: c",
            "r.yaml:1: not valid YAML: an unexpected ':'; check the indentation, and quote text that"
            " holds ': '",
        ),
        (
            "a:\n  - 1\n b: 2",
            "r.yaml:3: not valid YAML: check the indentation: keys of one level start in the same column",
        ),
        (
            "a: [1, 2\nb: 3",
            "r.yaml:2: not valid YAML: a '[' is not closed, or a comma is missing (opened on line 1)",
        ),
        (
            "a: {x: 1\nb: 3",
            "r.yaml:2: not valid YAML: a '{' is not closed, or a comma is missing (opened on line 1)",
        ),
        (
            "a: 'x\nb: 2",
            "r.yaml:2: not valid YAML: a quote or a bracket is not closed (opened on line 1)",
        ),
        ("a: {: b}", "r.yaml:1: not valid YAML: a key or a value is missing here"),
        ("a: @x", "r.yaml:1: not valid YAML: quote text that starts with '@', '`' or '%'"),
        ("? [a]\n: b", "r.yaml:1: a key must be plain text; quote text that starts with '{' or '['"),
        ('"": b', "r.yaml:1: a key is missing before ':'"),
        ("a: b\x00", "r.yaml:1: control character U+0000; a recipe is plain YAML text"),
        ("[" * 50_000, "r.yaml:1: nested deeper than 20 levels; no recipe is"),
        ("{a: " * 50_000, "r.yaml:1: nested deeper than 20 levels; no recipe is"),
    ],
)
@pytest.mark.usefixtures("_each_parser")
def test_what_is_no_plain_document_is_one_line(text, message):
    with pytest.raises(RecipeError) as error:
        parse_yaml(text, "r.yaml")
    assert str(error.value) == message


def test_a_long_list_is_no_recipe(tmp_path: Path):
    path = tmp_path / "r.yaml"
    path.write_text("a: [" + "b," * 30_000 + "b]")
    with pytest.raises(RecipeError, match="more than 20,000 values"):
        read_yaml(path)


def test_an_expanding_document_is_refused_at_its_first_anchor():
    levels = "".join(f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(RecipeError, match="anchors are not supported"):
        parse_yaml(f"a: &a [x, x]\n{levels}", "bomb.yaml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"name: caf\xe9\n", ":1: byte 0xe9 is not UTF-8; save the recipe as UTF-8 text"),
        (b"PAR1\x15\x04\x15\x80", ":1: byte 0x80 is not UTF-8; save the recipe as UTF-8 text"),
        (b"a: 1\n" * 300_000, ": larger than 1 MiB; a recipe is a short YAML file, is this the data?"),
        (b"\x7fELF\x02\x01", ":1: control character U+007F; a recipe is plain YAML text"),
    ],
)
def test_a_file_that_is_no_text_is_one_line(tmp_path: Path, data, message):
    path = tmp_path / "r.yaml"
    path.write_bytes(data)
    with pytest.raises(RecipeError) as error:
        read_yaml(path)
    assert str(error.value) == f"{path}{message}"


def test_a_missing_file_names_what_lies_beside_it(tmp_path: Path):
    (tmp_path / "demo.yaml").write_text("name: demo")
    with pytest.raises(RecipeError) as error:
        read_yaml(tmp_path / "dmo.yaml")
    assert str(error.value) == f"{tmp_path / 'dmo.yaml'}: no such file; beside it: demo.yaml"


def test_a_folder_is_no_recipe(tmp_path: Path):
    with pytest.raises(RecipeError, match="a folder; name the recipe file in it"):
        read_yaml(tmp_path)


def test_byte_order_mark_and_crlf_are_read(tmp_path: Path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: two\r\n")
    document = read_yaml(path)
    assert document.value == {"a": 1, "b": "two"}
    assert document.line(("b",)) == 2


def test_paths_read_as_users_write_them():
    assert key_name(("gates", 2, "metric")) == "gates[2].metric"
    assert key_name(("x" * 100,)) == "x" * 60 + "…"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_document_or_one_error(text):
    assert re.fullmatch("read|r[.]yaml:.*", outcome(text))


def outcome(text: str) -> str:
    try:
        parse_yaml(text, "r.yaml")
    except RecipeError as error:
        return str(error)
    return "read"


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_json_is_yaml(value):
    assert parse_yaml(json.dumps(value, ensure_ascii=False), "r.yaml").value == value
