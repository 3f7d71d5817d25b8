"""JSON documents that carry the digest of their own other keys in `self_sha256`.

The digest makes accidents and careless edits evident; anyone can compute a new one, so only a
signature makes a document authentic (curation/release/signing.py).
"""

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import orjson

from curation.errors import CurationError, Refusal
from curation.files import pretty, self_digest, write_bytes


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Base of a sealed document. `self_sha256` is filled in on writing, checked on reading."""

    self_sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The document as plain JSON values, its keys in declared order and `self_sha256` last."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        content.pop("self_sha256", None)
        return {**content, "self_sha256": self_digest(content)}


Document = TypeVar("Document", bound=Sealed)


def stored(document: Sealed) -> bytes:
    """The bytes that a document is stored as, and that a signature covers."""
    return pretty(document.as_dict())


def write_sealed(path: Path, document: Document) -> Document:
    """Write a document whole, and return it with its digest."""
    document = msgspec.structs.replace(document, self_sha256=document.as_dict()["self_sha256"])
    write_bytes(path, stored(document))
    return document


def read_sealed(path: Path, kind: type[Document]) -> Document:
    """Read a sealed document.

    Raises CurationError when the file is absent or cannot be read, and Refusal when it is not what
    was written: not JSON, another layout, a digest that does not match, or other bytes than ours
    (a second key of the same name, say, which readers resolve in different ways).
    """
    if path.exists() and not path.is_file():
        raise CurationError(f"{path}: no regular file")  # a pipe would be waited for, for ever
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"{path}: not JSON any more: {error}") from error
    try:
        if not isinstance(content, dict) or content.get("self_sha256") != self_digest(content):
            raise Refusal(f"{path}: changed since it was written: self_sha256 does not match its content")
        document = msgspec.convert(content, kind)
    except orjson.JSONEncodeError as error:
        raise Refusal(f"{path}: changed since it was written: {error}") from error
    except msgspec.ValidationError as error:
        raise Refusal(f"{path}: another layout than this version of aj reads: {error}") from error
    if stored(document) != data:
        raise Refusal(f"{path}: changed since it was written: same values, other bytes")
    return document


def schema_of(kind: type[Sealed], title: str) -> dict[str, Any]:
    """The JSON Schema of a sealed document, as stored in schemas/."""
    schema = msgspec.json.schema(kind)
    own = schema["$defs"][kind.__name__]
    own["required"] = [*own.get("required", []), "self_sha256"]
    own["properties"]["self_sha256"] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}
