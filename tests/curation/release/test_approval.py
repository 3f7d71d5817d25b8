import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import orjson
import pytest
from tiny_dataset import seal, tiny_dataset, tiny_recipe

from curation.dataset.gates import read_gates
from curation.dataset.manifest import read_manifest
from curation.errors import CurationError, Refusal
from curation.files import file_digest
from curation.release.approval import Approval, approve, check_approvals, read_approvals
from curation.release.verify import verify
from curation.sealed import write_sealed

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAILING = {"metric": "rows.train", "max": 1}
WAIVER = {"gate": "rows.train", "reason": "a pilot", "by": "Grace"}


@pytest.fixture
def dataset(tmp_path) -> Path:
    return tiny_dataset(tmp_path / "tiny")


def test_an_approval_binds_manifest_gates_and_report(dataset):
    approval = approve(dataset, "Ada Lovelace", "looks right", now=NOON)
    content = orjson.loads((dataset / "approval.json").read_bytes())
    assert content == {
        "format": 1,
        "root": read_manifest(dataset).root,
        "digests": {
            "manifest": file_digest(dataset / "manifest.json"),
            "gates": file_digest(dataset / "gates.json"),
            "report": file_digest(dataset / "report.html"),
        },
        "by": "Ada Lovelace",
        "at": "2026-11-22T12:00:00+00:00",
        "note": "looks right",
        "mode": "attended",
        "waivers": [],
        "self_sha256": approval.self_sha256,
    }
    assert [signed.approval for signed in read_approvals(dataset)] == [approval]
    assert read_gates(dataset).passed


def test_times_are_in_utc(dataset):
    there = NOON.astimezone(timezone(timedelta(hours=9)))
    assert approve(dataset, "Ada", now=there).at == "2026-11-22T12:00:00+00:00"


@pytest.mark.parametrize("name", ["", "  ", "\n\t", "a\x1bb"])
def test_nobody_cannot_approve(dataset, name):
    with pytest.raises(CurationError, match="--by: expected the name") as wrong:
        approve(dataset, name)
    assert wrong.value.exit_code == 2
    assert not (dataset / "approval.json").exists()


def test_a_damaged_dataset_is_refused(dataset):
    (dataset / "report.html").write_text("better")
    with pytest.raises(Refusal, match=r"report\.html: 6 bytes; the manifest says"):
        approve(dataset, "Ada")


def test_a_preview_can_never_be_approved(tmp_path):
    with pytest.raises(Refusal, match="a preview made with --sample can never be approved"):
        approve(tiny_dataset(tmp_path / "tiny", sample=True), "Ada", force=True)


def test_a_failed_gate_is_refused(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny", gates=[FAILING])
    with pytest.raises(Refusal, match=r"failed gates: rows\.train: 12, more than 1; mend the data or add"):
        approve(dataset, "Ada")


def test_a_waiver_holds_through_its_last_day_and_is_named_in_the_approval(tmp_path):
    waiver = {**WAIVER, "until": "2026-11-22"}
    dataset = tiny_dataset(tmp_path / "tiny", gates=[FAILING], waivers=[waiver])
    tomorrow = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(Refusal, match=r"the waiver of rows\.train by Grace expired on 2026-11-22"):
        approve(dataset, "Ada", now=tomorrow)
    (used,) = approve(dataset, "Ada", now=tomorrow - timedelta(seconds=1)).waivers
    assert (used.gate, used.by, used.until, used.reason) == ("rows.train", "Grace", "2026-11-22", "a pilot")


def test_an_expired_waiver_that_nobody_needs_is_no_matter(tmp_path):
    waiver = {**WAIVER, "until": "2020-01-01"}
    passing = {"metric": "rows.train", "max": 100}
    dataset = tiny_dataset(tmp_path / "tiny", gates=[passing], waivers=[waiver])
    assert approve(dataset, "Ada", now=NOON).waivers == []


def test_many_repeats_need_a_waiver_that_still_holds(tmp_path):
    waiver = {**WAIVER, "gate": "mixture.max_repeat", "until": "2026-11-21"}
    mixture = {"shares": {"general": 0.5, "plants": 0.5}, "max_repeat": 40}
    dataset = tiny_dataset(tmp_path / "tiny", gates=[], waivers=[waiver], mixture=mixture)
    with pytest.raises(Refusal, match=r"the waiver of mixture\.max_repeat by Grace expired"):
        approve(dataset, "Ada", now=NOON)
    assert [w.gate for w in approve(dataset, "Ada", now=NOON - timedelta(days=1)).waivers]


def test_an_unattended_approval_says_so_and_a_recipe_can_forbid_it(tmp_path):
    free = tiny_dataset(tmp_path / "free")
    assert approve(free, "nightly", attended=False).mode == "unattended"
    strict = tiny_dataset(tmp_path / "strict", approval={"unattended": False})
    with pytest.raises(Refusal, match="forbids unattended approval; a person must run `aj approve`"):
        approve(strict, "nightly", attended=False)


def test_a_forbidden_unattended_approval_does_not_count(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny", approval={"unattended": False})
    approval = approve(dataset, "Ada")
    write_sealed(dataset / "approval.json", unattended(approval))
    with pytest.raises(Refusal, match="approved without a person, which its recipe forbids"):
        check_approvals(dataset, tiny_recipe(approval={"unattended": False}))


def unattended(approval: Approval) -> Approval:
    return approval.__class__(**{**as_dict(approval), "mode": "unattended"})


def as_dict(approval: Approval) -> dict:
    return {name: getattr(approval, name) for name in approval.__struct_fields__}


def test_a_valid_approval_is_not_overwritten_without_force(dataset):
    approve(dataset, "Ada", now=NOON)
    with pytest.raises(CurationError, match="approved by Ada at 2026-11-22T12:00:00") as wrong:
        approve(dataset, "Grace")
    assert wrong.value.exit_code == 2
    assert approve(dataset, "Grace", force=True).by == "Grace"
    assert [signed.approval.by for signed in read_approvals(dataset)] == ["Grace"]


def test_an_approval_of_what_is_no_more_is_replaced(dataset):
    approve(dataset, "Ada")
    seal(dataset, tiny_recipe(), {"eval.leaked_rows": 0, "pii.found": 3})
    with pytest.raises(Refusal, match=r"approval\.json: approves another dataset: manifest\.json had digest"):
        check_approvals(dataset, tiny_recipe())
    assert approve(dataset, "Grace").by == "Grace"


@pytest.mark.parametrize(("name", "key"), [("gates.json", "gates"), ("report.html", "report")])
def test_the_digest_that_differs_is_named(dataset, name, key):
    approve(dataset, "Ada")
    path = dataset / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(Refusal, match=rf"{name} had digest [0-9a-f]{{64}}, now it has [0-9a-f]{{64}}"):
        check_approvals(dataset, tiny_recipe())


def test_every_flipped_byte_of_an_approval_is_noticed(dataset):
    approve(dataset, "Ada", "a note — with é")
    path = dataset / "approval.json"
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Refusal):
            read_approvals(dataset)


def test_two_people_are_two_people(tmp_path):
    recipe = tiny_recipe(approval={"people": 2})
    dataset = tiny_dataset(tmp_path / "tiny", approval={"people": 2})
    approve(dataset, "Ada")
    with pytest.raises(Refusal, match="approved by Ada alone; its recipe asks for 2 people"):
        check_approvals(dataset, recipe)
    with pytest.raises(CurationError, match=r"approved by Ada at .*; another person must approve too"):
        approve(dataset, "ADA")
    approve(dataset, "Grace")
    assert [signed.approval.by for signed in check_approvals(dataset, recipe)] == ["Ada", "Grace"]
    with pytest.raises(CurationError, match="approved by Grace at"):
        approve(dataset, "Edsger")


@pytest.mark.parametrize("again", ["Jose\u0301", "JOSÉ", "\uff2aosé"])
def test_a_name_typed_in_another_way_is_no_other_person(tmp_path, again):
    dataset = tiny_dataset(tmp_path / "tiny", approval={"people": 2})
    approval = approve(dataset, "José")
    with pytest.raises(CurationError, match="another person must approve too"):
        approve(dataset, again)
    write_sealed(dataset / "approval-2.json", approval.__class__(**{**as_dict(approval), "by": again}))
    with pytest.raises(Refusal, match="approved by José alone"):
        check_approvals(dataset, tiny_recipe(approval={"people": 2}))


@pytest.mark.parametrize("name", ["approval.json", "manifest.json"])
def test_a_pipe_in_a_dataset_is_not_waited_for(dataset, name):
    approve(dataset, "Ada")
    (dataset / name).unlink()
    os.mkfifo(dataset / name)
    assert str(verify(dataset).problems[0]).startswith(f"{name}: ")


def test_the_same_person_twice_does_not_count_twice(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny", approval={"people": 2})
    approve(dataset, "Ada")
    shutil.copy(dataset / "approval.json", dataset / "approval-2.json")
    with pytest.raises(Refusal, match="approved by Ada alone"):
        check_approvals(dataset, tiny_recipe(approval={"people": 2}))


def test_approving_anew_with_force_starts_from_the_first_person(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny", approval={"people": 2})
    approve(dataset, "Ada")
    approve(dataset, "Grace")
    approve(dataset, "Edsger", force=True)
    assert [signed.approval.by for signed in read_approvals(dataset)] == ["Edsger"]


def test_no_approval_is_told_with_the_next_step(dataset):
    with pytest.raises(
        Refusal, match=r"not approved; read its report, then run `aj approve .*tiny --by NAME`"
    ):
        check_approvals(dataset, tiny_recipe())
