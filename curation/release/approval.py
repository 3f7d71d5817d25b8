"""A person's yes to a dataset, bound by digest to exactly what they could read.

`approval.json` names the digests of manifest, gates and report, and what was waived. With
`approval: {people: 2}` a second person's stands in `approval-2.json`. A signature is detached,
`approval.json.sig`; without one an approval shows that nobody changed anything by accident, not who
approved.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from curation.dataset.gates import GatesFile, WaiverRef, read_gates
from curation.dataset.integrity import check_dataset
from curation.dataset.manifest import APPROVALS, Manifest, Part, read_manifest, read_recipe
from curation.errors import CurationError, Refusal
from curation.files import file_digest, write_bytes
from curation.recipe.load import Recipe
from curation.recipe.rules import REPEAT_GATE, REPEATS_WITHOUT_WAIVER
from curation.release.signing import allowed_signers_path, sign, signing_key, verify_signature
from curation.sealed import Sealed, read_sealed, stored

BOUND = {"manifest": "manifest.json", "gates": "gates.json", "report": "report.html"}


class Digests(Part, frozen=True):
    """sha256 of the files that were approved."""

    manifest: str
    gates: str
    report: str


class Approval(Sealed, frozen=True):
    """approval.json. `at` is in UTC; `waivers` are those that the dataset needs to pass."""

    format: Literal[1]
    root: str
    digests: Digests
    by: str
    at: str
    note: str | None
    mode: Literal["attended", "unattended"]
    waivers: list[WaiverRef]


class Signed(NamedTuple):
    """An approval, with its signature where there is one."""

    approval: Approval
    signature: str | None


def approve(
    dataset: Path,
    by: str,
    note: str | None = None,
    *,
    attended: bool = True,
    key: Path | None = None,
    force: bool = False,
    now: datetime | None = None,
) -> Approval:
    """Record that `by` approves a dataset, signed with the SSH key `key` when given.

    Raises CurationError when the request is wrong: nobody's name, approved already without `force`.
    Raises Refusal when the answer is no: the dataset is damaged or a preview, a gate failed, a
    waiver has expired, or the recipe forbids approval without a person.
    """
    name = person(by)
    moment = now or datetime.now(UTC)
    manifest, recipe, gates = ready(dataset, moment)
    if not attended and not recipe.approval.unattended:
        raise Refusal(f"{dataset}: its recipe forbids unattended approval; a person must run `aj approve`")
    if recipe.approval.signed and key is None:
        raise Refusal(f"{dataset}: its recipe asks for a signature; run `aj approve --sign KEY`")
    digests = bound_digests(manifest)
    place = free_place(dataset, digests, name, recipe.approval.people, force=force)
    approval = Approval(
        format=1,
        root=manifest.root,
        digests=digests,
        by=name,
        at=moment.astimezone(UTC).isoformat(timespec="seconds"),
        note=note or None,
        mode="attended" if attended else "unattended",
        waivers=needed_waivers(gates, recipe),
    )
    write_approval(dataset / place, approval, key)
    return read_sealed(dataset / place, Approval)


def person(by: str) -> str:
    """A name that someone can be asked about later."""
    name = " ".join(by.split())
    if not name or not name.isprintable():
        raise CurationError("--by: expected the name of the person who approves, got nothing readable")
    return name


def ready(dataset: Path, now: datetime) -> tuple[Manifest, Recipe, GatesFile]:
    """What approve and freeze both ask of a dataset. Raises Refusal with the first thing wrong."""
    checked = check_dataset(dataset)
    if checked.problems:
        raise Refusal(f"{dataset}: {checked.problems[0]}; `aj verify {dataset}` lists everything")
    manifest = read_manifest(dataset)
    if manifest.sample:
        raise Refusal(f"{dataset}: a preview made with --sample can never be approved; curate without it")
    recipe, gates = read_recipe(dataset, manifest), read_gates(dataset)
    if gates.failed:
        failed = "; ".join(f"{gate.name}: {gate.detail}" for gate in gates.failed)
        raise Refusal(f"{dataset}: failed gates: {failed}; mend the data or add a waiver to the recipe")
    refuse_expired(dataset, needed_waivers(gates, recipe), now)
    return manifest, recipe, gates


def needed_waivers(gates: GatesFile, recipe: Recipe) -> list[WaiverRef]:
    """The waivers without which the dataset would not pass: of failed gates and of many repeats."""
    needed = {gate.name: gate.waiver for gate in gates.waived if gate.waiver is not None}
    if recipe.mixture.max_repeat > REPEATS_WITHOUT_WAIVER:
        for waiver in recipe.waivers:
            if waiver.gate == REPEAT_GATE:
                stated = {"gate": waiver.gate, "reason": waiver.reason, "by": waiver.by}
                needed.setdefault(REPEAT_GATE, WaiverRef(**stated, until=waiver.until.isoformat()))
    return list(needed.values())


def refuse_expired(dataset: Path, waivers: Iterable[WaiverRef], now: datetime) -> None:
    """Raise Refusal when a needed waiver's last day is over, in UTC."""
    today = now.astimezone(UTC).date()
    for waiver in waivers:
        if date.fromisoformat(waiver.until) < today:
            raise Refusal(
                f"{dataset}: the waiver of {waiver.gate} by {waiver.by} expired on {waiver.until}; "
                "mend the data or renew it in the recipe"
            )


def bound_digests(manifest: Manifest) -> Digests:
    """The digests that an approval binds: of the manifest as it was read, and of files as it lists them.

    What is swapped on the disk after the check is then simply not what was approved.
    """
    listed = {file.path: file.sha256 for file in manifest.files}
    absent = [name for name in (BOUND["gates"], BOUND["report"]) if name not in listed]
    if absent:
        raise Refusal(f"{absent[0]}: not in the manifest; there is nothing to read and approve")
    whole = hashlib.sha256(stored(manifest)).hexdigest()
    return Digests(manifest=whole, gates=listed[BOUND["gates"]], report=listed[BOUND["report"]])


def free_place(dataset: Path, digests: Digests, by: str, people: int, *, force: bool) -> str:
    """Where the next approval goes. One that binds other digests is as good as none.

    Raises CurationError when nobody's approval is missing, or this person has approved already.
    """
    if force:
        return APPROVALS[0]
    for place in APPROVALS[:people]:
        standing = standing_approval(dataset / place, digests)
        if standing is None:
            return place
        if place == APPROVALS[people - 1] or same_person(standing.by, by):
            more = "" if place == APPROVALS[people - 1] else "; another person must approve too"
            raise CurationError(
                f"{dataset}: approved by {standing.by} at {standing.at}{more}; --force approves anew"
            )
    raise AssertionError("a recipe asks for one or two people")


def standing_approval(path: Path, digests: Digests) -> Approval | None:
    """The approval there, if it is whole and binds these digests."""
    try:
        approval = read_sealed(path, Approval)
    except CurationError:
        return None
    return approval if approval.digests == digests else None


def same_person(one: str, other: str) -> bool:
    """Whether two names are spelt alike but for case and for how their letters are composed."""
    return folded(one) == folded(other)


def folded(name: str) -> str:
    """A name as it is compared: `José` is one person, typed with one character or with two for é."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def write_approval(path: Path, approval: Approval, key: Path | None) -> None:
    """Write an approval with its signature, in place of an earlier one and all that built on it."""
    document = stored(approval)
    signature = sign(document, key) if key is not None else None
    for name in APPROVALS[APPROVALS.index(path.name) :]:
        path.with_name(name).unlink(missing_ok=True)
        path.with_name(f"{name}.sig").unlink(missing_ok=True)
    if signature is not None:
        write_bytes(path.with_name(f"{path.name}.sig"), signature.encode("ascii"))
    write_bytes(path, document)


def read_approvals(dataset: Path) -> list[Signed]:
    """The approvals of a dataset, none, one or two. Raises Refusal on one that was changed."""
    found = []
    for place in APPROVALS:
        path = dataset / place
        if path.exists() or path.is_symlink():
            detached = dataset / f"{place}.sig"
            signature = detached.read_text("utf-8", "replace") if detached.is_file() else None
            found.append(Signed(read_sealed(path, Approval), signature))
    return found


def check_approvals(dataset: Path, recipe: Recipe, *, know_signers: bool = True) -> list[Signed]:
    """The approvals that a dataset's recipe asks for, all of them valid for it as it is.

    Raises Refusal, naming the digest that differs, the person or the signature that is missing.
    know_signers: as in `check_people`.
    """
    approvals = read_approvals(dataset)
    for signed, place in zip(approvals, APPROVALS, strict=False):
        for key, name in BOUND.items():
            approved, found = getattr(signed.approval.digests, key), file_digest(dataset / name)
            if approved != found:
                raise Refusal(
                    f"{dataset / place}: approves another dataset: {name} had digest {approved}, "
                    f"now it has {found}"
                )
    check_people(approvals, recipe, str(dataset), know_signers=know_signers)
    return approvals


def check_people(
    approvals: Sequence[Signed], recipe: Recipe, what: str, *, know_signers: bool = True
) -> None:
    """Enough different people, present and with signatures where the recipe asks for that.

    For the approvals of a dataset and for those inside a frozen recipe alike. A signature that
    nobody asked for is checked too where the user's allowed_signers exists.
    know_signers: False leaves signatures aside, for a look where nobody knows who may sign.
    """
    asked = recipe.approval
    if not approvals:
        raise Refusal(f"{what}: not approved; read its report, then run `aj approve {what} --by NAME`")
    if not asked.unattended and any(s.approval.mode == "unattended" for s in approvals):
        raise Refusal(f"{what}: approved without a person, which its recipe forbids; run `aj approve`")
    if len({folded(s.approval.by) for s in approvals}) < asked.people:
        by = approvals[0].approval.by
        raise Refusal(f"{what}: approved by {by} alone; its recipe asks for {asked.people} people")
    if know_signers:
        check_signatures(approvals, recipe, what)


def check_signatures(approvals: Sequence[Signed], recipe: Recipe, what: str) -> None:
    """Raise Refusal unless every approval is signed by the person it names, each with a key of their own."""
    asked = recipe.approval.signed
    for signed in approvals:
        if signed.signature is None and asked:
            raise Refusal(f"{what}: not signed, and its recipe asks for it; run `aj approve --sign KEY`")
        if signed.signature is not None and (asked or allowed_signers_path().is_file()):
            verify_signature(stored(signed.approval), signed.signature, signed.approval.by, what)
    if asked and len({signing_key(s.signature or "") for s in approvals}) < recipe.approval.people:
        raise Refusal(f"{what}: both approvals are signed with one key; each person signs with their own")
