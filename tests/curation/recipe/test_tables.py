"""The three tables: all in them has a meaning and is there, and their names stand in their own rooms only."""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from curation.readers import bfcl, sharegpt, trajectory
from curation.readers.keys.shapes import plain
from curation.readers.seam import reader_of
from curation.recipe.conform import conform
from curation.recipe.keys import KINDS
from curation.recipe.load import parse_recipe
from curation.recipe.metrics import EVALUATED, FIGURES, METRICS
from curation.recipe.readers import READERS
from curation.recipe.rules import stage_faults
from curation.recipe.schema_file import needed, split_docstring
from curation.recipe.source import Source
from curation.recipe.source_rules import source_faults
from curation.recipe.stages import NOTES, READING, REASONS, STAGES
from curation.recipe.yaml_lines import parse_yaml
from curation.turns.chat_api import KEYS

ROOT = Path(__file__).resolve().parents[3]
WORDS = re.compile(r"\S+ .*\S")


def files(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def texts(path: Path) -> set[str]:
    """Every string that a file holds, docstrings too."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("table", [READERS, STAGES, METRICS, EVALUATED])
def test_every_entry_has_a_meaning(table):
    assert all(WORDS.fullmatch(told.meaning) for told in table.values())


@pytest.mark.parametrize("name", STAGES)
def test_every_setting_reason_repair_and_flag_of_a_stage_has_a_meaning(name):
    told = STAGES[name]
    _, meanings = split_docstring(told.settings.__doc__ or "")
    assert set(meanings) == set(told.settings.__struct_fields__)
    said = [*told.reasons.values(), *told.notes.values(), *meanings.values()]
    assert all(WORDS.fullmatch(meaning) for meaning in said), said
    assert told.reasons or told.notes


def test_a_name_means_one_thing_whichever_stage_uses_it():
    for step in (READING, *STAGES.values()):
        assert step.reasons.items() <= REASONS.items()
        assert step.notes.items() <= NOTES.items()
    assert all(map(WORDS.fullmatch, (*READING.reasons.values(), *READING.notes.values(), *FIGURES.values())))


def test_every_reader_and_stage_has_its_file_and_every_file_its_entry():
    for room, table, mark in (("readers", READERS, "READER = "), ("stages", STAGES, "STAGE = ")):
        found = set()
        for path in files(f"curation/{room}"):
            if re.search(f"^{mark}", path.read_text(encoding="utf-8"), re.MULTILINE):
                found.add(path.parent.name if path.stem in ("reader", "stage") else path.stem)
        assert found == set(table)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_what_its_entry_says(name):
    told, reader = READERS[name], reader_of(name)
    assert (reader.converter is not None) == (told.form in ("records", "either"))
    assert (reader.rows is not None) == (told.form in ("text", "either")) == bool(told.no_text)
    assert set(told.required) <= set(told.settings) <= set(Source.__struct_fields__)
    assert not told.turn_keys or told.turns in {*told.columns, *told.keys}


def test_declared_keys_are_those_that_are_decoded():
    steps = {*trajectory._Step.__struct_fields__, *trajectory._History.__struct_fields__}
    for name, known in (("messages", KEYS), ("wildchat", KEYS), ("bfcl", KEYS), ("trajectory", steps)):
        assert set(READERS[name].turn_keys) == known
    spoken = {"from" if name == "speaker" else name for name in sharegpt._SharegptTurn.__struct_fields__}
    assert set(READERS["sharegpt"].turn_keys) == spoken
    assert set(READERS["sharegpt"].other_turn_keys) == KEYS
    assert set(READERS["bfcl"].keys) == {*bfcl._Record.__struct_fields__, "ground_truth"}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_keys_has_a_meaning_and_names_each_key_once(name):
    kind = KINDS[name]
    assert WORDS.fullmatch(kind.meaning)
    assert kind.rows or kind.turns
    assert set(kind.readers) <= set(READERS)
    for own, others in (
        (kind.rows, [k.rows for k in KINDS.values()]),
        (kind.turns, [k.turns for k in KINDS.values()]),
    ):
        spelt = [plain(key) for keys in others for key in keys]
        assert all(spelt.count(plain(key)) == 1 for key in own), own


@pytest.mark.parametrize("name", READERS)
def test_the_example_of_a_reader_is_right(name):
    document = parse_yaml(READERS[name].example, "example")
    assert not list(conform(document, Source))
    source = msgspec.convert(document.value, Source)
    assert (source.reader, list(source_faults(source, ()))) == (name, [])


@pytest.mark.parametrize("name", STAGES)
def test_the_example_of_a_stage_is_right(name):
    document = parse_yaml(f"stages:\n  {STAGES[name].example}\n", "example")
    stage = document.value["stages"][0]
    assert [stage] == [name] if isinstance(stage, str) else list(stage) == [name]
    assert not list(stage_faults(document, document.value["stages"]))
    assert not STAGES[name].proposed or name in STAGES[name].proposed


def test_a_metric_is_made_by_something_there_is():
    assert {metric.by for metric in METRICS.values()} <= {"run", "files", *STAGES}
    for name, metric in METRICS.items():
        if metric.by in STAGES:
            prefix = f"{STAGES[metric.by].counts_named or metric.by}."
            assert all(count.startswith(prefix) for count in metric.share_of or (name,)), name
        counted_by_source = metric.by in STAGES and metric.share_of is not None
        assert metric.per_source <= (name.startswith("source.") or counted_by_source), name
        assert metric.per_source or not name.startswith("source."), name


# Names that are ordinary words, too: of a column, a message key, a format of a file.
ORDINARY = {"messages", "tools", "language", "lines", "map", "exclude", "answers"}
DISTINCT = {*READERS, *STAGES} - ORDINARY
ADVICE = "a name of the tables; if it means something else here, add it to ORDINARY"
# The demo of the training writes a recipe.
MAY_NAME = {"train/use/demo.py": {"exact_duplicates", "length"}}


def test_names_of_readers_and_stages_stand_in_their_own_rooms_only():
    rooms = ("curation/recipe/", "curation/readers/", "curation/stages/")
    for path in files("curation", "reports", "train"):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith(rooms):
            named = (texts(path) & DISTINCT) - MAY_NAME.get(place, set())
            assert not named, f"{place}: {', '.join(sorted(named))}: {ADVICE}"
    for path in sorted((ROOT / "reports" / "templates").glob("*.jinja")):
        quoted = set(re.findall(r"\"([a-z_]+)\"", path.read_text(encoding="utf-8")))
        assert not quoted & DISTINCT, f"{path.name}: {', '.join(sorted(quoted & DISTINCT))}: {ADVICE}"


SMALLEST = """\
name: demo
version: 1.0.0
seed: 1
base_model: {id: a/b, code: B}
sources:
  chats: {uri: chats.jsonl, reader: messages, group: g}
mixture: {shares: {g: 1}}
"""


def test_every_stage_that_needs_no_settings_may_stand_as_a_bare_name():
    bare = [name for name in STAGES if not needed(name)]
    recipe = parse_recipe(f"{SMALLEST}stages: [{', '.join(bare)}]\n")
    assert [next(iter(stage)) for stage in recipe.stages] == bare
