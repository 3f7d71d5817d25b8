"""Which code and which libraries made something: what work files, manifests and run records name."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from curation.files import canonical

# Libraries that may change what a run writes.
LIBRARIES = (
    "polars",
    "pyarrow",
    "numpy",
    "numba",
    "orjson",
    "msgspec",
    "jsonschema-rs",
    "langdetect",
    "py3langid",
    "tokenizers",
)


# Rooms that no task reaches (a test holds it).
LATER = ("release", "jobs", "commands")


@cache
def code_version() -> str:
    """Digest of everything whose change may change a task's output: our code and the libraries.

    How commands speak, and what happens to a dataset after it is made, are no part of it.
    """
    total = hashlib.sha256()
    for package in ("curation", "schemas"):
        root = Path(str(resources.files(package)))
        for path in sorted(p for p in root.rglob("*") if p.suffix in {".py", ".json", ".jinja"}):
            place = path.relative_to(root)
            if place.parts[0] not in LATER:
                total.update(f"{place.as_posix()}\n".encode())
                total.update(path.read_bytes())
    total.update(canonical(versions()))
    return total.hexdigest()


def versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """The installed versions of these libraries; those that are not there are left out."""
    found = {}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
