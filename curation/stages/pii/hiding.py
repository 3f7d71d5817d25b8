"""Personal data in displayed text of any row, hidden behind its kind and a number, as the pii stage masks it.

Rows that were dropped before that stage, or a recipe without it, would show it otherwise.
"""

from curation.stages.pii.personal_data import find


class Hiding:
    """Hides the values of one row: the same value gets the same placeholder throughout."""

    def __init__(self) -> None:
        self.count = 0
        self._names: dict[tuple[str, str], str] = {}

    def text(self, text: str) -> str:
        """`text` without the values that look like personal data.

        Looked at again after a change: a value may only be one when its neighbour is gone.
        """
        for _ in range(4):
            found = find(text)
            parts, at = [], 0
            for value in found:
                parts += [text[at : value.start], self.name(value.kind, value.value)]
                at = value.end
            if not found:
                break
            text = "".join(parts) + text[at:]
        return text

    def name(self, kind: str, value: str) -> str:
        """The placeholder of a value, counted."""
        self.count += 1
        number = 1 + sum(known == kind for known, _ in self._names)
        return self._names.setdefault((kind, value), f"[HIDDEN_{kind.upper()}_{number}]")
