"""The section labels of an entry: `_Place._]`, `Time.—`, `Uses:`."""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import re

from curation.readers.herbal.words import LABELS

_LABEL = re.compile(
    r"^[_*=¶#\s-]*(?:the\s+)?(?:"
    + "|".join(f"(?P<{topic}>{labels})" for topic, labels in LABELS.items())
    + r")(?P<close>[.:]?[_*=]*\s*(?:\]|—|-{2,3}|–|:|\.|$)[_*=\]]*)\s*(?P<rest>.*)$",
    re.I | re.S,
)
_LINE_LABEL = re.compile(
    r"^\s*[_*=¶-]*(?=[A-Z])(?i:" + "|".join(LABELS.values()) + r")[.]?[_*=]*\s*(?:\]|:|\.?(?:—|-{2,3}))"
)


def label_of(text: str) -> tuple[str, str] | None:
    """(topic, the rest) if a section label opens the text, as `_Place._]`, `Time.—`, `Uses:`."""
    match = _LABEL.match(text)
    if not match or not re.match(r"[\W_]*[A-Z]", text):
        return None
    topic = next(name for name in LABELS if match[name] is not None)
    if (
        topic in ("making", "comment")
        and "]" not in match["close"]
        and match[topic].lower().endswith(("college", "culpeper"))
    ):
        return None
    rest = match["rest"].strip()
    bare = not re.search(r"[_*=¶\]—:-]|–", text[: match.start("rest")])
    if bare and rest and not rest[0].isupper() and rest[0] not in '"“‘(':
        return None
    return topic, rest


def opens_label(line: str) -> bool:
    """Whether a line opens with a marked label, such as `Place:` in the middle of a block."""
    return bool(_LINE_LABEL.match(line))
