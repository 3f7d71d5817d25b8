import hashlib
from pathlib import Path

import jsonschema
import orjson
import pytest

from curation.dataset.manifest import (
    GroupCounts,
    Manifest,
    MixtureCounts,
    RecipeRef,
    RowCounts,
    SourceCounts,
    SourceFile,
    StageCounts,
    Written,
    dataset_files,
    list_files,
    manifest_schema,
    read_manifest,
    shard_files,
    write_manifest,
)
from curation.errors import CurationError, Refusal
from curation.files import pretty
from curation.row import root_digest

SCHEMA = Path(__file__).parents[3] / "schemas" / "manifest.schema.json"


def a_manifest(**changes: object) -> Manifest:
    values = {
        "format": 1,
        "recipe": RecipeRef(name="tiny", version="1.0.0", sha256="0" * 64),
        "root": root_digest([("train", "sha256:aa", 1)]),
        "rows": RowCounts(read=3, dropped=1, unselected=1, train=1, eval=0),
        "written": Written(train=1, eval=0),
        "sources": {
            "web": SourceCounts(
                group="all",
                uri="web.jsonl",
                revision=None,
                licence=None,
                files=[SourceFile(path="web.jsonl", bytes=10, sha256="1" * 64, rows=3)],
                read=3,
                dropped={"unreadable": 1},
                unselected=1,
                train=1,
                eval=0,
            )
        },
        "mixture": MixtureCounts(
            unit="rows",
            total=1,
            groups={"all": GroupCounts(asked=1.0, got=1, available=2, quota=1, unique=1, max_repeat=1)},
        ),
        "stages": [StageCounts(name="chat", entered=2, added=0, out=2, dropped={})],
        "files": [],
        "versions": {"polars": "2.1.0"},
    }
    return Manifest(**{**values, **changes})


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    written = write_manifest(tmp_path, a_manifest())
    assert read_manifest(tmp_path) == written
    assert len(written.self_sha256) == 64


def test_its_keys_are_those_of_the_design(tmp_path):
    write_manifest(tmp_path, a_manifest())
    content = orjson.loads((tmp_path / "manifest.json").read_bytes())
    assert list(content) == [
        *("format", "recipe", "root", "rows", "written", "sources", "mixture", "stages"),
        *("files", "versions", "self_sha256"),
    ]
    assert list(content["stages"][0]) == ["name", "in", "added", "out", "dropped"]
    assert list(content["mixture"]["groups"]["all"]) == [
        *("asked", "got", "available", "quota", "unique", "max_repeat")
    ]


def test_the_same_manifest_has_the_same_bytes(tmp_path):
    write_manifest(tmp_path / "a", a_manifest())
    write_manifest(tmp_path / "b", a_manifest())
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_a_sample_says_so_and_a_dataset_does_not_mention_it(tmp_path):
    assert "sample" not in a_manifest().as_dict()
    assert read_manifest_after_write(tmp_path, a_manifest(sample=True)).sample is True


def read_manifest_after_write(folder: Path, manifest: Manifest) -> Manifest:
    write_manifest(folder, manifest)
    return read_manifest(folder)


def test_every_flipped_byte_is_noticed(tmp_path):
    write_manifest(tmp_path, a_manifest())
    path = tmp_path / "manifest.json"
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Refusal, match=r"manifest\.json"):
            read_manifest(tmp_path)


def test_a_second_key_of_the_same_name_is_noticed(tmp_path):
    write_manifest(tmp_path, a_manifest())
    path = tmp_path / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"{\n", b'{\n  "root": "evil",\n', 1))
    with pytest.raises(Refusal, match="same values, other bytes"):
        read_manifest(tmp_path)


def test_a_document_resealed_with_an_unknown_key_is_another_layout(tmp_path):
    content = a_manifest().as_dict() | {"extra": 1}
    content["self_sha256"] = hashlib.sha256(
        orjson.dumps({k: v for k, v in content.items() if k != "self_sha256"}, option=orjson.OPT_SORT_KEYS)
    ).hexdigest()
    (tmp_path / "manifest.json").write_bytes(pretty(content))
    with pytest.raises(Refusal, match="unknown field `extra`"):
        read_manifest(tmp_path)


def test_no_dataset_is_a_wrong_request(tmp_path):
    with pytest.raises(CurationError, match="no such folder") as nowhere:
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(CurationError, match="no run finished here") as empty:
        read_manifest(tmp_path)
    assert nowhere.value.exit_code == empty.value.exit_code == 2


def test_the_listing_holds_every_file_but_manifest_approval_and_times(tmp_path):
    for name in ("train/part-00000.parquet", "eval/part-00000.parquet", "gates.json", "odd/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ("manifest.json", "approval.json", "approval.json.sig", "timings.json"):
        (tmp_path / name).write_text("-")
    (tmp_path / "link").symlink_to("/etc/hostname")
    names = ["eval/part-00000.parquet", "gates.json", "link", "odd/x", "train/part-00000.parquet"]
    assert dataset_files(tmp_path) == names
    (tmp_path / "link").unlink()
    listed = list_files(tmp_path, {"train/part-00000.parquet": 7})
    assert [(f.path, f.rows) for f in listed][-1] == ("train/part-00000.parquet", 7)
    assert listed[1].sha256 == hashlib.sha256(b"gates.json").hexdigest()
    assert [f.path for f in shard_files(a_manifest(files=listed), "eval")] == [names[0]]


def test_the_stored_schema_is_the_one_of_the_model():
    assert orjson.loads(SCHEMA.read_bytes()) == manifest_schema()


def test_a_manifest_meets_its_schema(tmp_path):
    jsonschema.Draft202012Validator(manifest_schema()).validate(a_manifest(sample=True).as_dict())
