"""Ways in which herbals mark their entries, and which of them a book follows.

Every way is tried on the whole book. What it marks is judged by what stands under it, never by its look
alone: how much of the text, whether the marks run in order, whether a name comes back in its own text,
whether the sections of one plant stand there. The best way above the bar is the book's.
"""

# Old books are set with curly quotes and dashes.
# ruff: noqa: RUF001

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from curation.readers.herbal import headings
from curation.readers.herbal.headings import Mark
from curation.readers.herbal.names import alphabetical, heading_text, names_of
from curation.readers.herbal.text import Block
from curation.readers.herbal.words import PLANT_TOPICS, PLANT_WORDS

# What a way must reach to be followed; `Judged.score` says of what.
BAR = 0.55
MIN_ENTRIES = 1
# Fewer marks are proved by sections only.
MIN_UNSECTIONED = 3
# Marks whose alphabetical order, or whose names in their own texts, are proof by themselves.
MIN_NAMED = 10
# Words an entry, on the average of a book, at most.
LONGEST_ENTRIES = 4_000
# Entries that may stand unproved between two proved ones and still belong to the region of plants.
MAX_HOLE = 8
# Different words of plants that make a text speak of one.
MIN_PLANT_WORDS = 3
# A heading printed as often as this is a section of many entries.
MANY = 3
# Sections that open fewer of the entries than this share stand under a title within an entry.
ODD_SHARE = 0.03
# Share of a few headings that differ, at least: sections come again, names do not.
LEAST_DISTINCT = 0.75
# Words under a mark, at least: fewer say nothing.
MIN_WORDS = 8
# An entry many times as long as others holds more than its plant.
MAX_TIMES_MEDIAN = 20
# Characters of an entry that are looked at for proofs.
LOOKED_AT = 6_000
# Words of plants among all words of a text about plants, at least. In the herbals tried 1.8 to 5.9 of a
# hundred are, in other books (of fishing, of chemicals, a dictionary, an almanac) up to 0.9.
PLANT_SHARE = 0.015
# A share of marks that makes a kind of proof the habit of the book.
HABIT = 0.5


class Way(NamedTuple):
    """How a book may mark entries: in words, and the mark that a block bears, if any."""

    meaning: str
    mark: Callable[[Block, str], Mark | None]


WAYS: dict[str, Way] = {
    "caps": Way("capitals on a line of their own", headings.capitals),
    "title": Way("capitalised names on a line of their own", headings.titles),
    "chapter": Way("chapters ('CHAP. 2. Of Rue')", headings.chapters),
    "latin": Way("Latin names in italics on a line of their own", headings.latin),
    "italic": Way("names in italics on a line of their own", headings.italics),
    "bold": Way("names in bold on a line of their own", headings.bold),
    **{
        f"markdown{level}": Way(f"'{'#' * level} Name'", partial(headings.markdown, level))
        for level in (1, 2, 3, 4)
    },
    "run_in_caps": Way("'NAME.' at the head of the text", headings.run_in_capitals),
    "run_in_bold": Way("'=Name.=' at the head of the text", headings.run_in_bold),
    "run_in_italic": Way("'_Name._' at the head of the text", headings.run_in_italics),
    "run_in_dash": Way("'Name.--' at the head of the text", headings.run_in_dash),
    "run_in_latin": Way("'Name (Latin name)' at the head of the text", headings.run_in_latin),
    "run_in_number": Way("'12. Name.' at the head of the text", headings.run_in_number),
}


class Piece(NamedTuple):
    """A block with its text on one line and the section label that opens it, if any.

    kind  `reference` where it only sends to another entry, `front` where it is the book's title, `legend`
          where it numbers what a plate shows
    """

    block: Block
    text: str
    label: tuple[str, str] | None = None
    kind: str = ""


class Judged(NamedTuple):
    """What a way makes of a book.

    marks     the entries it is sure of, by the number of the piece that opens each
    unsure    the pieces with a mark that no proof makes an entry
    names     the pieces that only add a name to the heading above them
    words     how many the book has
    found     how many marks there are, the unsure ones among them
    shown     the first few headings
    covered   share of the book's words that stand under a sure entry; a very long one counts in part
    ordered   how well the marks run in alphabetical or numerical order, 0 as by chance
    alphabetical  the same for the alphabetical order alone
    recurring share of the marks whose name comes back in their own text, less that in the text of the next
    labelled  share of the marks with the sections of one plant
    sectioned share of the marks with two and more sections of one plant
    botanical share of the words under sure entries that are words of plants
    """

    way: str
    marks: dict[int, Mark]
    unsure: frozenset[int]
    names: frozenset[int]
    words: int
    found: int
    shown: tuple[str, ...]
    covered: float
    ordered: float
    alphabetical: float
    recurring: float
    labelled: float
    sectioned: float
    botanical: float

    @property
    def score(self) -> float:
        """The mean of the two best proofs, or the one that suffices by itself.

        Less where little of the text is under sure entries, where it does not speak of plants, and where
        there is a mark in many thousand words only.
        """
        proofs = sorted((self.ordered, self.recurring, self.labelled))
        mean = (proofs[1] + proofs[2]) / 2 if self.found >= MIN_UNSECTIONED else 0.0
        named = 0.75 * max(self.recurring, self.alphabetical) if self.found >= MIN_NAMED else 0.0
        return (
            max(mean, named, self.sectioned)
            * min(1.0, 4 * self.covered)
            * min(1.0, self.botanical / PLANT_SHARE)
            * min(1.0, LONGEST_ENTRIES * self.found / self.words)
        )


class _Stand(NamedTuple):
    """A mark, the piece it stands at, and what stands under it: sections of one plant, words of plants."""

    piece: int
    mark: Mark
    text: str
    words: int
    recurs: bool
    sections: int
    first: str
    botany: list[str]

    @property
    def labelled(self) -> bool:
        return self.sections > 0

    @property
    def botanical(self) -> bool:
        return len(set(self.botany)) >= MIN_PLANT_WORDS


def judge(pieces: Sequence[Piece]) -> list[Judged]:
    """Every way that marks anything, the best first; equal ones in the order of the table."""
    total = max(1, sum(len(piece.text.split()) for piece in pieces))
    judged = (_judged(way, pieces, total) for way in WAYS)
    return sorted(
        (found for found in judged if found),
        key=lambda found: (found.score < BAR, -found.score * found.covered),
    )


def _judged(way: str, pieces: Sequence[Piece], total: int) -> Judged | None:
    marked = _marked(way, pieces)
    groups, names = _together(marked, pieces)
    ends = [*(piece for piece, _ in groups), len(pieces)][1:]
    stands = [
        _stand(piece, marks, pieces[piece + len(marks) : end])
        for (piece, marks), end in zip(groups, ends, strict=False)
    ]
    stands = [stand for stand in stands if stand.words >= MIN_WORDS]
    differ = len({_key(stand.mark.heading) for stand in stands})
    if len(stands) < MIN_ENTRIES or (len(stands) < MIN_NAMED and differ < LEAST_DISTINCT * len(stands)):
        return None
    count = len(stands)
    in_order, ordered, alphabetic = _order([stand.mark for stand in stands])
    labelled = sum(stand.labelled for stand in stands) / count
    recurring = sum(stand.recurs for stand in stands) - sum(
        bool((named := names_of(one.mark.heading)) and named.search(following.text))
        for one, following in pairwise(stands)
    )
    sure = _region(stands, in_order, labelled, ordered)
    lengths = sorted(stand.words for stand in sure)
    longest = MAX_TIMES_MEDIAN * lengths[len(lengths) // 2] if lengths else 0
    return Judged(
        way,
        {stand.piece: stand.mark for stand in sure},
        frozenset(piece for piece, _ in groups) - {stand.piece for stand in sure},
        frozenset(names),
        total,
        count,
        tuple(stand.mark.heading for stand in stands[:3]),
        sum(min(length, longest) for length in lengths) / total,
        ordered,
        alphabetic,
        max(0.0, recurring / count),
        labelled,
        sum(stand.sections > 1 for stand in stands) / count,
        sum(len(stand.botany) for stand in sure) / max(1, sum(len(stand.text.split()) for stand in sure)),
    )


def _marked(way: str, pieces: Sequence[Piece]) -> list[tuple[int, Mark]]:
    """The marks of a way; what is printed again and again is a section and names no plant."""
    find = WAYS[way].mark
    marked = [
        (number, mark)
        for number, piece in enumerate(pieces)
        if piece.label is None and not piece.kind and (mark := find(piece.block, piece.text.lstrip("¶ ")))
    ]
    printed = Counter(_key(mark.heading) for _, mark in marked)
    return [(number, mark) for number, mark in marked if printed[_key(mark.heading)] < MANY]


def _key(heading: str) -> str:
    return re.sub(r"\W+", " ", heading.casefold()).strip()


def _together(
    marked: Sequence[tuple[int, Mark]], pieces: Sequence[Piece]
) -> tuple[list[tuple[int, list[Mark]]], set[int]]:
    """Marks that stand right under each other as one, and the pieces of the later ones.

    Where a book has the habit, the line over a mark is its common name.
    """
    groups: list[tuple[int, list[Mark]]] = []
    names: set[int] = set()
    above = {
        number: common
        for number, mark in marked
        if number > 0 and not mark.rest and (common := _name_above(pieces[number - 1]))
    }
    if len(above) < HABIT * len(marked):
        above = {}
    for number, mark in marked:
        taken = {groups[-1][0], *names} if groups else names
        if number in above and number - 1 not in taken:
            groups.append((number - 1, [above[number], mark]))
            names.add(number)
        elif groups and not groups[-1][1][-1].rest and number == groups[-1][0] + len(groups[-1][1]):
            groups[-1][1].append(mark)
            names.add(number)
        else:
            groups.append((number, [mark]))
    return groups, names


def _name_above(piece: Piece) -> Mark | None:
    """The common name on its own line over a Latin one, as a mark of another way."""
    if piece.label is not None or piece.kind or len(piece.block.lines) > 2:
        return None
    words = [word for word in re.findall(r"[^\W\d_][\w'’-]*", piece.text) if len(word) > 3]
    is_line = re.fullmatch(r"[A-Z][^.:!?]{2,110}", piece.text) and words
    if is_line and 2 * sum(word[0].isupper() for word in words) >= len(words):
        return Mark(piece.text) if headings.is_name(piece.text) else None
    return headings.titles(piece.block, piece.text)


def _stand(piece: int, marks: Sequence[Mark], under: Sequence[Piece]) -> _Stand:
    """What stands under a mark; of several names a common one, the one its text says most, or the last."""
    text = " ".join([marks[-1].rest, *(one.text for one in under)])
    said = [
        len(named.findall(text[:LOOKED_AT])) if (named := names_of(mark.heading)) else 0 for mark in marks
    ]
    common = [place for place, mark in enumerate(marks) if not headings.is_latin(mark.heading)]
    best = max(common or range(len(marks)), key=lambda place: (said[place], place))
    others = tuple(mark.heading for place, mark in enumerate(marks) if place != best)
    mark = marks[best]._replace(rest=marks[-1].rest, others=others)
    topics = {one.label[0] for one in under if one.label}
    printed = Counter(
        _key(one.text.removesuffix(one.label[1]))
        for one in under
        if one.label and one.label[0] in PLANT_TOPICS
    ).values()
    one_plant = sum(count > 1 for count in printed) < 2 and max(printed, default=0) < 3
    return _Stand(
        piece,
        mark,
        text[:LOOKED_AT],
        len(text.split()),
        any(said),
        len(topics) if printed and one_plant else 0,
        next((one.label[0] for one in under if one.label), ""),
        [word.lower() for word in PLANT_WORDS.findall(text[:LOOKED_AT])],
    )


def _region(stands: list[_Stand], in_order: set[int], labelled: float, ordered: float) -> list[_Stand]:
    """The entries that are proved, from the first to the last that the habit of the book proves."""
    habit = [
        number
        for number, stand in enumerate(stands)
        if (stand.labelled if labelled >= HABIT else ordered < HABIT or number in in_order)
    ]
    opens = Counter(stand.first for stand in stands if stand.labelled)
    odd = {topic for topic, count in opens.items() if count < ODD_SHARE * sum(opens.values())}
    within = {
        number
        for number, stand in enumerate(stands)
        if labelled >= HABIT and stand.first in odd and (ordered < HABIT / 2 or number not in in_order)
    }
    habit = [number for number in habit if number not in within]
    run: list[int] = []
    longest: list[int] = []
    for number in habit:
        if run and labelled >= HABIT and number - run[-1] > MAX_HOLE:
            run = []
        run.append(number)
        longest = max(longest, run, key=len)
    run = list(longest)
    return [
        stand
        for number, stand in enumerate(stands)
        if run
        and run[0] <= number <= run[-1]
        and number not in within
        and _is_sure(stand, number in in_order, labelled, ordered)
    ]


def _is_sure(stand: _Stand, in_order: bool, labelled: float, ordered: float) -> bool:
    """Whether an entry is proved: by the habit of its book if it has one, else by its name and its words."""
    if stand.labelled:
        return True
    by_order = ordered >= HABIT and in_order
    if labelled >= HABIT:
        return stand.recurs
    return (stand.recurs and (by_order or stand.botanical)) or (by_order and stand.botanical)


def _order(marks: Sequence[Mark]) -> tuple[set[int], float, float]:
    """(the marks in alphabetical or numerical order, how far they are in it, how far in the former).

    The longest run in order is set against what chance gives, about 2 √n of n (Logan & Shepp 1977,
    Vershik & Kerov 1977).
    """
    by_name = _longest([alphabetical(mark.heading) for mark in marks], strictly=True)
    numbers = [mark.number for mark in marks]
    by_number: set[int] = set()
    if sum(number is not None for number in numbers) > len(marks) / 2:
        by_number = _longest([f"{number or 0:06}" for number in numbers], strictly=True)
    count, chance = len(marks), min(2 * math.sqrt(len(marks)), 0.8 * len(marks))

    def beyond(run: set[int]) -> float:
        return max(0.0, (len(run) - chance) / (count - chance)) * min(1.0, count / 5)

    best = max(by_name, by_number, key=len)
    return best, beyond(best), beyond(by_name)


def _longest(keys: Sequence[str], *, strictly: bool = False) -> set[int]:
    """The places of the longest subsequence that never falls, or that always rises."""
    bisect = bisect_left if strictly else bisect_right
    tails: list[str] = []
    ends: list[int] = []
    before: list[int | None] = []
    for number, key in enumerate(keys):
        place = bisect(tails, key)
        before.append(ends[place - 1] if place else None)
        if place == len(tails):
            tails.append(key)
            ends.append(number)
        else:
            tails[place], ends[place] = key, number
    found: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def told(judged: Sequence[Judged]) -> str:
    """The best ways with their figures, for an error."""
    return "; ".join(
        f"{one.found} {WAYS[one.way].meaning} ({_examples(one)}; {one.covered:.0%} of the text under sure"
        f" ones, order {one.ordered:.0%}, own name {one.recurring:.0%}, sections {one.labelled:.0%})"
        for one in judged[:2]
    )


def _examples(judged: Judged) -> str:
    return ", ".join(f"'{heading_text(heading)[:40]}'" for heading in judged.shown)
