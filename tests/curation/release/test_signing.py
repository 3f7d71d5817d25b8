import shutil
import subprocess
from pathlib import Path

import pytest
from tiny_dataset import tiny_dataset, tiny_recipe

from curation.errors import CurationError, Refusal
from curation.release.approval import approve, check_approvals, read_approvals
from curation.release.freeze import freeze
from curation.release.frozen import read_frozen
from curation.release.signing import allowed_signers_path, sign, signing_key, verify_signature
from curation.release.verify import verify

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH's ssh-keygen")

SIGNED = {"signed": True}


def make_key(folder: Path, name: str) -> Path:
    """A new key; hardware and agents aside, what a person has in ~/.ssh."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_key(folder, name) for name in ("ada", "grace", "mallory")}


@pytest.fixture(autouse=True)
def allowed(keys, tmp_path, monkeypatch) -> Path:
    """Ada and Grace may sign, and nobody else."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "config" / "aj" / "allowed_signers"
    path.parent.mkdir(parents=True)
    public = {name: key.with_suffix(".pub").read_text() for name, key in keys.items()}
    people = {"Ada Lovelace": "ada", "Grace": "grace"}
    path.write_text("".join(f'"{n}" namespaces="aj-approval" {public[k]}' for n, k in people.items()))
    return path


def test_a_signature_is_of_these_bytes_by_this_person(keys):
    signature = sign(b"yes", keys["ada"])
    verify_signature(b"yes", signature, "Ada Lovelace", "it")
    for data, signer in [(b"yes\n", "Ada Lovelace"), (b"yes", "Grace"), (b"yes", "*")]:
        with pytest.raises(Refusal, match=f"it: no valid signature by {signer.replace('*', '.')} as"):
            verify_signature(data, signature, signer, "it")


def test_a_signature_made_for_git_does_not_count(keys):
    command = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(keys["ada"])]
    made = subprocess.run(command, input=b"yes", capture_output=True, check=True)
    with pytest.raises(Refusal, match="no valid signature"):
        verify_signature(b"yes", made.stdout.decode(), "Ada Lovelace", "it")


def test_a_public_key_whose_private_half_is_nowhere_cannot_sign(keys, tmp_path, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    public = shutil.copy(keys["ada"].with_suffix(".pub"), tmp_path / "lonely.pub")
    with pytest.raises(CurationError, match=r"lonely\.pub: cannot sign: "):
        sign(b"yes", Path(public))


def test_a_missing_key_is_told(tmp_path):
    with pytest.raises(CurationError, match="no such SSH key; make one with ssh-keygen"):
        sign(b"yes", tmp_path / "nothing")


def test_a_missing_ssh_keygen_is_told(keys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CurationError, match="ssh-keygen: not found; signatures need OpenSSH 8"):
        sign(b"yes", keys["ada"])


def test_who_may_sign_stands_in_the_user_s_configuration_alone(monkeypatch, tmp_path):
    assert allowed_signers_path() == tmp_path / "config/aj/allowed_signers"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert allowed_signers_path() == Path.home() / ".config/aj/allowed_signers"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert allowed_signers_path() == Path.home() / ".config/aj/allowed_signers"


def test_a_recipe_that_asks_for_a_signature_gets_no_approval_without_one(tmp_path):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    with pytest.raises(Refusal, match="asks for a signature; run `aj approve --sign KEY`"):
        approve(dataset, "Ada Lovelace")


def test_freeze_and_train_accept_a_signed_approval(tmp_path, keys):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    assert (dataset / "approval.json.sig").read_text().startswith("-----BEGIN SSH SIGNATURE-----")
    assert verify(dataset).ok
    frozen = freeze(dataset, tmp_path / "frozen.yaml")
    assert read_frozen(frozen).signed[0].approval.by == "Ada Lovelace"


def test_ssh_keygen_itself_verifies_the_detached_signature(tmp_path, keys, allowed):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    options = ["-n", "aj-approval", "-f", str(allowed), "-I", "Ada Lovelace"]
    command = ["ssh-keygen", "-Y", "verify", *options, "-s", str(dataset / "approval.json.sig")]
    subprocess.run(command, input=(dataset / "approval.json").read_bytes(), check=True, capture_output=True)


@pytest.mark.parametrize(
    ("by", "key"),
    [("Ada Lovelace", "mallory"), ("Ada Lovelace", "grace"), ("Mallory", "mallory"), ("Mallory", "ada")],
)
def test_no_other_person_and_no_other_key_counts(tmp_path, keys, by, key):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, by, key=keys[key])
    with pytest.raises(Refusal, match=f"no valid signature by {by}"):
        freeze(dataset, tmp_path / "frozen.yaml")
    assert not verify(dataset).ok


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('valid-before="20200101"', "key has expired"),
        ('valid-after="20990101"', "key is not yet valid"),
        ('namespaces="git"', "not permitted for use in signature namespace"),
    ],
)
def test_a_key_that_may_not_sign_now_or_this_does_not_count(tmp_path, keys, allowed, options, reason):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    allowed.write_text(f'"Ada Lovelace" {options} {keys["ada"].with_suffix(".pub").read_text()}')
    with pytest.raises(Refusal, match=reason):
        freeze(dataset, tmp_path / "frozen.yaml")
    assert not verify(dataset).ok


@pytest.mark.parametrize(
    "by", ["*", "Ada?Lovelace", "!Mallory", "-I", "Ada Lovelace,Mallory", 'Ada"Lovelace']
)
def test_a_name_is_no_pattern_of_names(tmp_path, keys, by):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, by, key=keys["ada"])
    with pytest.raises(Refusal, match="no valid signature by"):
        freeze(dataset, tmp_path / "frozen.yaml")


def test_a_signature_of_an_earlier_approval_does_not_count(tmp_path, keys):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    earlier = (dataset / "approval.json.sig").read_bytes()
    approve(dataset, "Ada Lovelace", "with a note", key=keys["ada"], force=True)
    (dataset / "approval.json.sig").write_bytes(earlier)
    with pytest.raises(Refusal, match="incorrect signature"):
        freeze(dataset, tmp_path / "frozen.yaml")


def test_without_ssh_keygen_one_line_says_what_is_missing(tmp_path, keys, monkeypatch):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    before = (dataset / "approval.json").read_bytes()
    monkeypatch.setenv("PATH", str(tmp_path))
    for command in (
        lambda: freeze(dataset, tmp_path / "frozen.yaml"),
        lambda: approve(dataset, "Ada Lovelace", key=keys["ada"], force=True),
    ):
        with pytest.raises(CurationError, match="ssh-keygen: not found; signatures need OpenSSH") as missing:
            command()
        assert missing.value.exit_code == 2
    assert (dataset / "approval.json").read_bytes() == before


def test_a_removed_signature_is_missed(tmp_path, keys):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    (dataset / "approval.json.sig").unlink()
    with pytest.raises(Refusal, match="not signed, and its recipe asks for it"):
        freeze(dataset, tmp_path / "frozen.yaml")


def test_a_flipped_byte_in_a_signature_is_noticed(tmp_path, keys):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    path = dataset / "approval.json.sig"
    data = path.read_bytes()
    for at in (5, 60, 200, 280):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert not verify(dataset).ok, f"byte {at}"


def test_an_approval_in_a_frozen_recipe_cannot_be_swapped(tmp_path, keys):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["mallory"])
    signed = read_approvals(dataset)[0]
    with pytest.raises(Refusal, match="no valid signature"):
        check_approvals(dataset, tiny_recipe(approval=SIGNED))
    assert signing_key(signed.signature or "") != signing_key(sign(b"x", keys["ada"]))


def test_a_machine_that_does_not_know_the_signers_says_so(tmp_path, keys, allowed):
    dataset = tiny_dataset(tmp_path / "tiny", approval=SIGNED)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    allowed.unlink()
    result = verify(dataset)
    assert result.ok
    assert result.notes == [f"signatures not checked: {allowed} is missing"]
    with pytest.raises(CurationError, match="allowed_signers: missing; add a line") as missing:
        freeze(dataset, tmp_path / "frozen.yaml")
    assert missing.value.exit_code == 2


def test_two_people_sign_with_two_keys(tmp_path, keys, allowed):
    asked = {"signed": True, "people": 2}
    dataset = tiny_dataset(tmp_path / "tiny", approval=asked)
    approve(dataset, "Ada Lovelace", key=keys["ada"])
    approve(dataset, "Grace", key=keys["grace"])
    assert len(read_frozen(freeze(dataset, tmp_path / "frozen.yaml")).approvals) == 2
    ada = keys["ada"].with_suffix(".pub").read_text()
    allowed.write_text(f'"Ada Lovelace" {ada}"Grace" {ada}')
    approve(dataset, "Ada Lovelace", key=keys["ada"], force=True)
    approve(dataset, "Grace", key=keys["ada"])
    with pytest.raises(Refusal, match="both approvals are signed with one key"):
        check_approvals(dataset, tiny_recipe(approval=asked))


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN\n!!!\n-----END", "-----BEGIN\nAAAA\n-----END"])
def test_what_is_no_signature_has_no_key(text):
    with pytest.raises(Refusal, match="not an SSH signature"):
        signing_key(text)
