"""What the report says of the rows' worth: flags of judges by source, answers that differ, drifting tools."""

import re
from pathlib import Path

import pytest

from curation.dataset.gates import read_gates
from curation.dataset.manifest import read_manifest, read_recipe
from curation.jobs.curate import curate
from curation.recipe.stages import DIFFERENCES, STAGES
from curation.stages.conflicts import answers
from reports.facts.worth_facts import Differing, Flagged, worth_facts
from reports.pages.documents import REPORT, documents
from reports.pages.report import report
from tests.finished import finished
from tests.small_recipe import conversation, small_recipe, write_jsonl

NAMES = {"<b>city</b>": {"type": "string"}, "day": {"type": "string"}}
ANSWERS = ("It is ripe on 3 May.", "It is ripe on 9 June.", "Ask at <b>the mill</b>.")


def facts_of(dataset):
    manifest = read_manifest(dataset)
    return worth_facts(dataset, manifest, read_recipe(dataset, manifest), read_gates(dataset).metrics)


def section_of(dataset) -> str:
    """The section's HTML."""
    html = (dataset / REPORT).read_text("utf-8")
    return html[html.index('<section id="worth"') :].partition("</section>")[0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worth")
    recipe = small_recipe(
        folder, stages=["normalise", "chat", {"tools": {"schema": "any"}}, "exact_duplicates", "conflicts"]
    )
    asked = {"role": "user", "content": "When is the fruit ripe?"}
    rows = [{"messages": [asked, {"role": "assistant", "content": answer}]} for answer in ANSWERS]
    for number in range(20):
        tool = {"name": "weather", "parameters": {"type": "object", "properties": {"day": NAMES["day"]}}}
        if number % 2:
            tool["parameters"]["properties"] = NAMES
        rows.append({**conversation(1000 + number), "tools": [{"type": "function", "function": tool}]})
    write_jsonl(folder / "data/two.jsonl", rows)
    curate(recipe, documents=documents, out=folder / "dataset", workers=1)
    return folder / "dataset"


def test_answers_that_differ_are_counted_by_source_and_shown_side_by_side(dataset):
    assert facts_of(dataset).conflicts == [Differing("one", 121, 0, 0, 2), Differing("two", 23, 3, 2, 0)]
    html = section_of(dataset)
    assert html.count('class="row pair"') == html.count("they contradict each other") == 1
    assert "different numbers" in html
    assert html.count("When is the fruit ripe?") == 1


def test_tools_that_drift_are_shown_with_what_is_not_in_every_set(dataset):
    (drift,) = facts_of(dataset).drifts
    assert (drift.name, drift.rows, drift.common) == ("weather", 20, {("day", False)})
    html = section_of(dataset)
    assert "1 name is offered with several sets of parameters" in html
    assert "<mark>&lt;b&gt;city&lt;/b&gt;</mark>" in html
    assert "<mark>day</mark>" not in html


def test_what_a_judge_flags_is_told_by_source_and_nowhere_else(dataset, monkeypatch):
    # As a judge that flags the same: conflicts has a table of its own.
    monkeypatch.setattr("reports.facts.worth_facts.CONFLICTS", "another")
    facts = facts_of(dataset)
    assert facts.flagged == [
        Flagged("two", "conflicts", "contradicting_answer", 2, 2, 23),
        Flagged("two", "conflicts", "other_answer", 1, 1, 23),
    ]
    manifest = read_manifest(dataset)
    html = report(dataset, manifest, read_gates(dataset)).decode()
    assert html.count(STAGES["conflicts"].notes["contradicting_answer"]) == 1


def test_where_nothing_is_wrong_the_section_is_calm(tmp_path):
    dataset = finished(tmp_path, stages=["chat", "exact_duplicates", "conflicts"])
    assert facts_of(dataset).is_calm
    html = section_of(dataset)
    assert "Nothing was found that speaks against them. Looked for by conflicts;" in html
    assert not [tag for tag in ("<table", "<details", "<h3") if tag in html]


def test_a_recipe_without_a_judge_is_told_so(tmp_path):
    html = section_of(finished(tmp_path))
    assert "No stage of the recipe judges them" in html


def test_every_way_in_which_answers_differ_has_a_title():
    source = Path(answers.__file__).read_text("utf-8")
    given = set(re.findall(r'return "contradiction", "([a-z ]+)"', source))
    assert len(given) == 5
    assert given | {"other"} == DIFFERENCES.keys()
