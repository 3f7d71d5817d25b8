import shutil

import pytest

from curation.dataset.gates import read_gates
from curation.dataset.manifest import read_manifest
from curation.errors import CurationError, Refusal
from curation.release.approval import approve
from curation.release.verify import verify
from reports.pages import report as report_module
from reports.pages.documents import REPORT, documents, remake_report
from tests.finished import finished


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("small"))


def test_the_digest_of_the_manifest_is_not_in_the_report_that_it_lists(dataset):
    assert read_manifest(dataset).self_sha256 not in (dataset / REPORT).read_text("utf-8")


def test_making_the_documents_again_gives_the_same_bytes(dataset):
    again = documents(dataset, read_manifest(dataset), read_gates(dataset))
    assert set(again) == {REPORT, "README.md", "croissant.json"}
    for name, data in again.items():
        assert data == (dataset / name).read_bytes(), name


def test_bytes_do_not_depend_on_where_the_dataset_lies(dataset, tmp_path):
    moved = shutil.copytree(dataset, tmp_path / "odd [name] *" / "x")
    assert (
        documents(moved, read_manifest(moved), read_gates(moved))[REPORT] == (dataset / REPORT).read_bytes()
    )


def test_a_lost_report_is_put_back_and_verifies(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / REPORT).unlink()
    assert remake_report(copy) == (copy / REPORT, True)
    assert remake_report(copy) == (copy / REPORT, False)
    assert verify(copy).ok


def test_another_report_than_the_listed_one_is_refused_not_written(dataset, tmp_path, monkeypatch):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    before = (copy / REPORT).read_bytes()
    monkeypatch.setattr(report_module, "PAIRS", 1)
    monkeypatch.setattr(report_module, "KEPT_BYTES", 10_000)
    with pytest.raises(Refusal, match="another report than the one that the manifest lists"):
        remake_report(copy)
    assert (copy / REPORT).read_bytes() == before
    elsewhere = tmp_path / "new.html"
    assert remake_report(copy, out=elsewhere) == (elsewhere, True)
    with pytest.raises(CurationError, match="use --force"):
        remake_report(copy, out=elsewhere)


def test_a_report_is_not_made_from_a_changed_dataset(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    with (copy / "samples.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(Refusal, match=r"samples\.parquet"):
        remake_report(copy)


def test_a_dataset_with_its_report_can_be_approved(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    assert approve(copy, by="A Person").root == read_manifest(copy).root
