"""Section labels that only one book uses, learned from how often it prints them: `=Bark.=--`, `_Leaves_:`."""

from collections import defaultdict
from collections.abc import Sequence

from curation.readers.herbal.headings import Mark, run_in_label
from curation.readers.herbal.names import heading_text
from curation.readers.herbal.ways import HABIT, Judged, Piece

# Share of the entries in which a label stands, at least, and in how many.
LEAST_SHARE = 0.3
LEAST = 3
# A topic that is a learned label: the label follows.
SECTION = "section:"


def with_learned_labels(pieces: Sequence[Piece], judged: Sequence[Judged]) -> list[Piece]:
    """The pieces, with a label on those that open with words printed in many entries of a labelled way.

    Without a way whose entries have the known sections nothing is learned: essays repeat words as well.
    """
    way = max(
        (one for one in judged if one.labelled >= HABIT and one.found >= LEAST),
        key=lambda one: one.found,
        default=None,
    )
    if way is None:
        return list(pieces)
    opened = {
        number: mark
        for number, piece in enumerate(pieces)
        if piece.label is None and not piece.kind and (mark := run_in_label(piece.text))
    }
    entries: defaultdict[str, set[int]] = defaultdict(set)
    entry = 0
    for number in range(len(pieces)):
        entry += number in way.marks
        if number in opened and entry:
            entries[opened[number].heading.casefold()].add(entry)
    learned = {
        label for label, where in entries.items() if len(where) >= max(LEAST, LEAST_SHARE * len(way.marks))
    }
    return [
        piece._replace(label=_labelled(opened[number]))
        if number in opened and opened[number].heading.casefold() in learned
        else piece
        for number, piece in enumerate(pieces)
    ]


def _labelled(mark: Mark) -> tuple[str, str]:
    return SECTION + heading_text(mark.heading), mark.rest
