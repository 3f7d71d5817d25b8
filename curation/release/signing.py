"""Signatures of approvals with people's own SSH keys, through `ssh-keygen -Y`.

A signature covers the exact bytes of the approval under a namespace of its own, so that one made
for git or for another tool does not count here. Who may sign stands in the verifier's own
configuration, never in a recipe, a dataset, or anything else that their editors can change.
"""

import base64
import binascii
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from curation.errors import CurationError, Refusal

NAMESPACE = "aj-approval"
TIMEOUT_S = 300  # a security key waits for a touch, ssh-keygen for a passphrase


def allowed_signers_path() -> Path:
    """The file that says who may sign: $XDG_CONFIG_HOME/aj/allowed_signers, else under ~/.config.

    One line a person, as ssh-keygen(1) has it: NAME namespaces="aj-approval" ssh-ed25519 AAAA…
    """
    configured = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    # The XDG standard has relative values ignored: they would name a folder of the project's.
    folder = configured if configured.is_absolute() else Path.home() / ".config"
    return folder / "aj" / "allowed_signers"


def sign(data: bytes, key: Path) -> str:
    """The detached signature of some bytes, as ASCII armour.

    key: a private key, or a public one whose private half an agent or a security key holds.
    Raises CurationError when it cannot sign.
    """
    if not key.is_file():
        raise CurationError(f"{key}: no such SSH key; make one with ssh-keygen -t ed25519")
    done = ssh_keygen(["-Y", "sign", "-n", NAMESPACE, "-f", str(key)], data)
    if done.returncode != 0:
        raise CurationError(f"{key}: cannot sign: {last_line(done.stderr)}")
    return done.stdout.decode("ascii")


def verify_signature(data: bytes, signature: str, signer: str, what: str) -> None:
    """Check a signature of `data` by `signer` against the user's allowed_signers.

    Raises Refusal when it is of other bytes, of another namespace, or of a key that `signer` may
    not use, and CurationError when the user's configuration is missing. `what` names the data.
    """
    allowed = allowed_signers_path()
    if not allowed.is_file():
        raise CurationError(
            f'{allowed}: missing; add a line `"{signer}" namespaces="{NAMESPACE}" ssh-ed25519 AAAA…` '
            "for everyone who may sign"
        )
    with tempfile.TemporaryDirectory(prefix="aj-") as folder:
        detached = Path(folder) / "signature"
        detached.write_text(signature, encoding="utf-8")
        options = ["-n", NAMESPACE, "-f", str(allowed), "-I", signer, "-s", str(detached)]
        done = ssh_keygen(["-Y", "verify", *options], data)
    if done.returncode != 0:
        reason = last_line(done.stderr) or last_line(done.stdout)
        raise Refusal(f"{what}: no valid signature by {signer} as {allowed} knows them: {reason}")


def signing_key(signature: str) -> bytes:
    """The public key inside a signature, to tell whether two were made by one key.

    Layout: openssh-portable, PROTOCOL.sshsig. Raises Refusal on anything else.
    """
    try:
        blob = base64.b64decode("".join(signature.strip().splitlines()[1:-1]), validate=True)
    except binascii.Error as error:
        raise Refusal(f"not an SSH signature: {error}") from error
    length = int.from_bytes(blob[10:14], "big")
    if not blob.startswith(b"SSHSIG\0\0\0\1") or len(blob) < 14 + length:
        raise Refusal("not an SSH signature of version 1")
    return blob[14 : 14 + length]


def ssh_keygen(arguments: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run ssh-keygen on `data`, never through a shell."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise CurationError("ssh-keygen: not found; signatures need OpenSSH 8.2 or newer on the PATH")
    try:
        return subprocess.run([program, *arguments], input=data, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise CurationError(f"ssh-keygen: no answer within {TIMEOUT_S} s") from error


def last_line(output: bytes) -> str:
    """The last line that a program printed; the earlier ones are progress."""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
