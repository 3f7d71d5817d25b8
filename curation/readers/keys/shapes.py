"""The keys that records have, and what their reader makes of each: by shape, of which most sets have few."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from curation.readers.columns import found_under, look_up
from curation.readers.keys import kernel
from curation.recipe.keys import KINDS, Kind
from curation.recipe.marks import MARKS
from curation.recipe.readers import READERS
from curation.recipe.source import Source
from curation.sources.records import Record

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_OBJECTS = msgspec.json.Decoder(list[dict[str, Raw]])
_LIST = msgspec.json.Decoder(list[Raw])
_TEXT = msgspec.json.Decoder(str)
# A set with endless key sets must not fill memory.
_MOST_SHAPES = 10_000

# A key that holds something, and whether that is false.
Key = tuple[str, bool]
# A key as it is told, by itself, what it stands under, whether it is false, whether it is read.
_Entry = tuple[str, str, str | None, bool, bool]


class Suspect(NamedTuple):
    """A key that may change what a row says; of turns where `under` names what they stand under."""

    told: str
    key: str
    under: str | None
    kind: Kind

    @property
    def advice(self) -> str:
        """What to write in the recipe."""
        named = (
            self.kind.advice.replace("%s", self.key)
            if self.under is None or "%s" not in self.kind.advice
            else ""
        )
        ignoring = f"`ignore: [{self.told}]` where it changes nothing"
        return f"{named}, or {ignoring}" if named else ignoring


class Shape(NamedTuple):
    """What becomes of the keys of a record that hold anything: their names as they are told.

    A key of a turn is told as `messages[].name`.
    """

    read: tuple[str, ...]
    ignored: tuple[str, ...]
    suspects: tuple[Suspect, ...]


def plain(key: str) -> str:
    """A key without case and marks: `image_url`, `imageUrl` and `Image-URL` are one."""
    return "".join(letter for letter in key.lower() if letter.isalnum())


_OF_ROWS = {plain(key): kind for kind in reversed(KINDS.values()) for key in kind.rows}
_OF_TURNS = {plain(key): kind for kind in reversed(KINDS.values()) for key in kind.turns}


def may_tell(key: str, of_turn: bool) -> bool:
    """Whether a key is one of those that may change what a row says."""
    return plain(key) in (_OF_TURNS if of_turn else _OF_ROWS)


class Keys:
    """The shapes of a source's records.

    conversations: the keys, or the dotted path, under which turns stand.
    """

    def __init__(self, source: Source) -> None:
        self._told = READERS[source.reader]
        self._reader = source.reader
        self._columns = dict(source.columns or {})
        self._ignore = frozenset(source.ignore)
        layout = source.map
        self._turn_keys = self._told.turn_keys
        self._further = {
            *self._told.keys,
            *(path.partition(".")[0] for path in (*(source.where or {}), *source.failed)),
        }
        if layout is not None:
            of_turns = (*layout.each, layout.role, layout.content, layout.by, layout.order)
            of_rows = (layout.turns, layout.text, layout.system, layout.tools, layout.join)
            beside = (layout.speakers, None if layout.join else layout.prompts)
            # Where each record is a turn, a row is a list of them.
            own = (*of_turns, *of_rows) if layout.by else of_turns
            self._turn_keys = (*(path.partition(".")[0] for path in own if path), *MARKS)
            self._further |= {path.partition(".")[0] for path in (*of_rows, *beside) if path}
        self.conversations = self._conversations(source)
        self._shapes: dict[Any, Shape] = {}
        self._by_digest: dict[int, Shape] = {}
        self._digests: NDArray[np.uint64] | None = None

    def _conversations(self, source: Source) -> tuple[str, ...]:
        if source.map is not None:
            return (source.map.turns,) if source.map.turns else ()
        turns = self._told.turns
        if turns in self._columns:
            return (self._columns[turns],)
        return self._told.columns.get(turns, (turns,) if turns else ())

    def shape(self, data: bytes) -> Shape:
        """The shape of one record. Raises what decoding JSON raises."""
        under: str | None = None
        keys, turns = tuple[Key, ...](), frozenset[Key]()
        if data.lstrip()[:1] == b"[":
            under, turns = "", _turn_keys(Raw(data))
        else:
            record = _OBJECT.decode(data)
            keys = tuple(
                (key, holds is False) for key, raw in record.items() if (holds := _holds(raw)) is not None
            )
            for name in self.conversations:
                raw = record.get(name) if "." not in name else look_up(record, name)
                if raw is not None and _holds(raw):
                    under, turns = name, _turn_keys(raw)
                    break
        known = self._shapes.get((keys, under, turns))
        if known is None:
            known = self._resolved(keys, under, turns)
            if len(self._shapes) < _MOST_SHAPES:
                self._shapes[keys, under, turns] = known
        return known

    def shapes(self, batch: Sequence[Record]) -> list[Shape | None]:
        """The shape of every record of a batch by the compiled loop, None where it must be looked for."""
        digests = self.digests([record if isinstance(record, bytes) else b"" for record in batch])
        return [
            self.of_digest(digest, record) for digest, record in zip(digests.tolist(), batch, strict=True)
        ]

    def digests(self, lines: Sequence[bytes]) -> NDArray[np.uint64]:
        """What the compiled loop says of lines: equal numbers are equal shapes, 0 is none."""
        if self._digests is None:
            plain_paths = [] if any("." in name for name in self.conversations) else self.conversations
            self._digests = np.array([_digest(name) for name in plain_paths], np.uint64)
        found = np.zeros(len(lines), np.uint64)
        if len(self._digests) < len(self.conversations):
            return found
        data = np.frombuffer(b"\n".join((*lines, bytes(kernel.ROOM))), np.uint8)
        starts = np.zeros(len(lines) + 1, np.int64)
        np.cumsum(np.fromiter((len(line) + 1 for line in lines), np.int64, len(lines)), out=starts[1:])
        loop: Any = kernel.key_digests
        loop(data, starts, self._digests, found)
        return found

    def of_digest(self, digest: int, record: Record) -> Shape | None:
        """The shape of a digest, from a record that has it; None where the record must be looked at."""
        if digest == 0 or not isinstance(record, bytes):
            return None
        known = self._by_digest.get(digest)
        if known is None:
            try:
                known = self.shape(record)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return None
            if len(self._by_digest) < _MOST_SHAPES:
                self._by_digest[digest] = known
        return known

    def _resolved(self, keys: Sequence[Key], under: str | None, turns: frozenset[Key]) -> Shape:
        names = [key for key, _ in keys]
        places = found_under(self._told.columns, self._columns, names, loose=self._told.loose)
        read = {place.partition(".")[0] if place not in names else place for _, place in places}
        read |= self._further & set(names)
        if under:
            read.add(under.partition(".")[0])
        entries: list[_Entry] = [(key, key, None, is_false, key in read) for key, is_false in keys]
        if under is not None:
            known = self._turn_keys
            if self._told.other_turn_keys and known[0] not in {key for key, _ in turns}:
                known = self._told.other_turn_keys
            entries += [
                (f"{under}[].{key}", key, under, is_false, key in known) for key, is_false in sorted(turns)
            ]
        suspects = [
            Suspect(told, key, place, kind)
            for told, key, place, is_false, is_read in entries
            if not is_read and (kind := self._kind(told, key, place, is_false)) is not None
        ]
        apart = {suspect.told for suspect in suspects}
        order = list(KINDS.values())
        return Shape(
            tuple(dict.fromkeys(told for told, _, _, _, is_read in entries if is_read)),
            tuple(dict.fromkeys(told for told, *_, is_read in entries if not is_read and told not in apart)),
            tuple(sorted(dict.fromkeys(suspects), key=lambda one: (order.index(one.kind), one.told))),
        )

    def _kind(self, told: str, key: str, under: str | None, is_false: bool) -> Kind | None:
        """What a key that is not read may say; None for metadata."""
        kind = (_OF_ROWS if under is None else _OF_TURNS).get(plain(key))
        if kind is None or told in self._ignore or (kind.readers and self._reader not in kind.readers):
            return None
        return None if is_false and kind.telling not in ("false", "unmarked") else kind


def _digest(key: str) -> int:
    data = key.encode()
    of: Any = kernel.digest_of
    return int(of(np.frombuffer(data + bytes(kernel.ROOM), np.uint8), len(data)))


def _holds(raw: Raw) -> bool | None:
    """None for a value that holds nothing (null, "", [], {}), False for false, else True."""
    size = len(memoryview(raw))
    if size > 5:
        return True
    data = bytes(raw)
    if data in (b"null", b'""', b"[]", b"{}"):
        return None
    return data != b"false"


def turns_of(raw: Raw) -> Iterator[Mapping[str, Raw]]:
    """The objects in a list, also where it stands in a string or has lists in it; an object itself."""
    data = bytes(raw)
    try:
        yield from _objects(_TEXT.decode(data).strip().encode() if data[:1] == b'"' else data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return


def _objects(data: bytes) -> Iterator[Mapping[str, Raw]]:
    if data[:1] == b"{":
        yield _OBJECT.decode(data)
    elif data[:1] == b"[":
        for entry in _LIST.decode(data):
            yield from _objects(bytes(entry))


def _turn_keys(raw: Raw) -> frozenset[Key]:
    """The keys of turns that hold anything; one that holds false and more, as holding more."""
    try:
        turns: Any = _OBJECTS.decode(raw)
    except msgspec.ValidationError:
        turns = turns_of(raw)
    holding, only_false = set[str](), set[str]()
    for turn in turns:
        for key, value in turn.items():
            if key not in holding:
                holds = _holds(value)
                if holds:
                    holding.add(key)
                elif holds is False:
                    only_false.add(key)
    return frozenset([*((key, False) for key in holding), *((key, True) for key in only_false - holding)])
