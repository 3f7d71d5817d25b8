"""Values as YAML on one line, quoted where they could be read as something else."""

import re
from collections.abc import Mapping

import orjson

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./ -]*")
_RESERVED = {"y", "n", "yes", "no", "true", "false", "null", "on", "off", "~"}


def scalar(value: object) -> str:
    """A YAML scalar, quoted where it could be read as something else."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value if value == value.strip() else orjson.dumps(value).decode()
    return orjson.dumps(value).decode()


def flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    return scalar(value)
