"""recipes/README.md says what the tables and the model say, and its examples are right."""

import re

import pytest

from curation.recipe.load import parse_recipe
from curation.recipe.metrics import EVALUATED, METRICS
from curation.recipe.model import RecipeModel, default_gates
from curation.recipe.readers import READERS
from curation.recipe.reference import REFERENCE_FILE, reference, reference_bytes, sections
from curation.recipe.stages import NOTES, REASONS, STAGES

PAGE = reference()


def test_the_committed_reference_is_the_generated_one():
    assert REFERENCE_FILE.read_bytes() == reference_bytes(), "run `python -m curation.recipe.reference`"


@pytest.mark.parametrize("names", [READERS, STAGES, METRICS, EVALUATED, REASONS, NOTES])
def test_every_name_stands_in_it(names):
    assert not [name for name in names if f"`{name}`" not in PAGE]


def test_every_key_of_every_section_stands_in_it():
    for place, kind in sections(RecipeModel):
        part = PAGE.split(f"### `{place}`" if place else "### The recipe")[1].split("\n#")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == set(kind.__struct_fields__)


def test_every_link_leads_somewhere():
    titles = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) <= anchors


def test_its_recipe_and_its_gates_are_right():
    whole, *others = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert parse_recipe(whole).name == "first"
    sql, gates = (text for text in others if text.startswith("gates:"))
    assert len(parse_recipe(whole + sql).gates) == 1
    assert [gate.metric for gate in parse_recipe(whole + gates).gates] == [g.metric for g in default_gates()]
