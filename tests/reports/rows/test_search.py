import pytest

from curation.jobs.curate import curate
from reports.rows.search import find_text, hits
from reports.rows.why import why
from tests.finished import finished
from tests.small_recipe import conversation, no_documents, small_recipe, write_jsonl


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return finished(
        tmp_path_factory.mktemp("small"), mixture={"shares": {"first": 0.6, "second": 0.4}, "total": "max"}
    )


def test_text_is_found_in_written_rows_upper_or_lower_case(dataset):
    said = conversation(11)["messages"][0]["content"]
    found = find_text(dataset, said.upper())
    assert found
    assert why(dataset, found[0].id)[0].file == "data/one-a.jsonl"


@pytest.mark.parametrize(
    "said", ["a.b", "(x|y)*", "[z]{2}", "^$ \\d #~&-", "\u00c4PFEL", "tab\tand  two\nlines"]
)
def test_text_is_looked_for_as_it_stands_and_not_as_a_pattern(tmp_path, said):
    recipe = small_recipe(tmp_path, stages=["chat"])
    row = conversation(9000)
    row["messages"][0]["content"] += f" {said} end"
    write_jsonl(tmp_path / "data/two.jsonl", [row, *(conversation(9001 + n) for n in range(5))])
    curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    (found,) = find_text(tmp_path / "out", said.lower() if said.isalpha() else said)
    assert why(tmp_path / "out", found.id)[0].row == 0


def test_text_of_dropped_rows_is_found_among_the_samples(dataset):
    (found,) = find_text(dataset, "{BROKEN")
    assert (found.split, found.id) == ("dropped", None)
    assert "sampled" in hits([], dataset, "x")
