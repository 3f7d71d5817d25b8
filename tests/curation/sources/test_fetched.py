from collections.abc import Iterator

import pytest
from hub_recipe import digests, hub_recipe, only, seven_sources
from hub_server import HubServer
from small_recipe import no_documents

from curation.errors import SourceError
from curation.jobs.curate import curate
from curation.jobs.fetch import fetch
from curation.sources.fetched import is_inside


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    with seven_sources(tmp_path / "cache", monkeypatch) as server:
        yield server


def test_a_file_changed_here_is_noticed_by_curate_and_mended_by_fetch(hub, tmp_path):
    recipe = hub_recipe(tmp_path, only("kisanvaani", "custom"))
    (entry,) = fetch(recipe)
    path = entry.folder / entry.record.files[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match="was changed after it was fetched; run `aj fetch` again"):
        curate(recipe, documents=no_documents, out=tmp_path / "out", workers=1)
    with pytest.raises(SourceError, match="absent or changed; run `aj fetch` without --offline"):
        fetch(recipe, offline=True)
    fetch(recipe)
    assert digests(entry.folder) == {f.path: f.sha256 for f in entry.record.files}


@pytest.mark.parametrize(
    "name", ["..", "../a", "a/../b", "/a", "a//b", "a\\b", "C:a", "a\0b", "a\nb", "", "a/."]
)
def test_names_that_lead_elsewhere_are_seen(name):
    assert not is_inside(name)
