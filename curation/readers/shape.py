"""What every reader of a shape gives back."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One input row: a conversation, the tools offered in it, and what reading repaired.

    messages  dicts with the five keys of `curation.row.message`
    tools     JSON array of function schemas as text, or None
    notes     entries as `curation.row.note` takes them, e.g. {"stage": "read", "flag": …}
    """

    messages: list[dict[str, Any]]
    tools: str | None
    notes: list[dict[str, Any]]
