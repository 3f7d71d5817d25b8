"""Marks of makers on turns and rows: whether they carry loss (curation/recipe/marks.py lists them).

A mark that says anything but yes or no, or speaks of a part of a turn, cannot be obeyed here: the row goes,
as `invalid_mark`. Two marks on one turn mask it where either does. A mark counts on the assistant's turns
alone; one that asks for loss on another's is flagged, since no other turn is ever trained.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from curation.jsontext import plain
from curation.recipe.marks import MARKS
from curation.row import Message
from curation.turns.roles import ROLES, role_of
from curation.turns.shape import Dropped

_ABSENT = Raw(b"")
# Never trained. A turn whose role has no name yet may still be the assistant's.
_OTHERS = frozenset(ROLES) - {"assistant"}

Marks = Iterable[tuple[str, Raw]]


class Marked(msgspec.Struct, kw_only=True):
    """The marks of a turn, as they stand: every turn that a reader decodes may have them."""

    weight: Raw = _ABSENT
    train: Raw = _ABSENT
    training: Raw = _ABSENT
    loss: Raw = _ABSENT
    loss_scale: Raw = _ABSENT
    loss_weight: Raw = _ABSENT
    loss_mask: Raw = _ABSENT
    step_loss_mask: Raw = _ABSENT
    trainable: Raw = _ABSENT
    masked: Raw = _ABSENT
    mask: Raw = _ABSENT
    train_detail: Raw = _ABSENT
    training_detail: Raw = _ABSENT


def is_marked(turn: Marked) -> bool:
    """Whether a turn has any key of a mark. Spelt out, for it is asked of every turn."""
    detail = turn.train_detail is turn.training_detail is turn.step_loss_mask is turn.loss_weight is _ABSENT
    return not (
        detail
        and turn.weight is turn.train is turn.training is turn.trainable is _ABSENT
        and turn.loss is turn.loss_scale is turn.loss_mask is turn.masked is turn.mask is _ABSENT
    )


def marks_of(turn: Marked) -> Marks:
    """The marks of a turn by their keys, empty where they are absent."""
    return [(key, getattr(turn, key)) for key in MARKS]


def weigh(
    messages: Sequence[Message], marks: Mapping[int, Marks], left_out: Iterable[Marks] = ()
) -> list[dict[str, Any]]:
    """Put `weight` 0 on the messages that their marks mask, by place; the notes that this leaves.

    left_out: the marks of turns, not the assistant's, that are no messages.
    Raises Dropped for a mark that cannot be obeyed.
    """
    others = []
    found_by_place = {place: dict(found) for place, found in marks.items()}
    unclear = {place: found.pop("mask") for place, found in found_by_place.items() if "mask" in found}
    masked = _masked(messages, unclear, [raw for found in left_out for key, raw in found if key == "mask"])
    for place, found in found_by_place.items():
        said = {carries_loss(f"turn {place}", key, raw, {"turn": place}) for key, raw in found.items()}
        said |= {masked[place]} if place in masked else set()
        if messages[place]["role"] in _OTHERS:
            others += [place] if True in said else []
        elif False in said:
            messages[place]["weight"] = 0
    return [{"stage": "read", "flag": "mark_elsewhere", "turns": others}] if others else []


def _masked(
    messages: Sequence[Message], marks: Mapping[int, Raw], left_out: Sequence[Raw]
) -> dict[int, bool]:
    """Turn → whether it carries loss, by its `mask`: true means no loss to some, loss to others.

    The row tells: other turns than the assistant's never carry loss, so what all of them say means no loss;
    else the one meaning under which anything of the assistant's is trained, unless all turns say the same.
    Raises Dropped where neither tells.
    """
    values = {
        place: plain(raw) if bytes(raw) in (b"0", b"1", b"true", b"false") else raw
        for place, raw in marks.items()
        if bytes(raw) not in (b"", b"null")
    }
    if not values:
        return {}
    own = {place: value for place, value in values.items() if messages[place]["role"] not in _OTHERS}
    of_others = {bool(value) for place, value in values.items() if place not in own}
    of_others |= {bytes(raw) in (b"1", b"true") for raw in left_out}
    said = {bool(value) for value in own.values()}
    wrong = next((place for place, value in values.items() if isinstance(value, Raw)), None)
    if wrong is None and len(of_others) == 1 and said != of_others:
        (no_loss,) = of_others
    elif wrong is None and len(of_others) == 2 and len(said) == 1:
        (loss,) = said
        no_loss = not loss
    else:
        place = next(iter(own or values)) if wrong is None else wrong
        expected = "another value on turns that carry no loss" if wrong is None else "0 or 1"
        raise invalid(f"turn {place}", "mask", bytes(marks[place]), expected, {"turn": place})
    return {place: bool(value) != no_loss for place, value in own.items()}


def carries_loss(where: str, key: str, raw: Raw, at: Mapping[str, Any]) -> bool | None:
    """What a mark says of its turn; None where it says nothing. Raises Dropped where it cannot be obeyed."""
    data = bytes(raw)
    if data in (b"", b"null"):
        return None
    value, no_loss = plain(raw), MARKS[key]
    if no_loss is None or not isinstance(value, bool | int | float) or value not in (0, 1):
        raise invalid(where, key, data, "no mark of a whole turn" if no_loss is None else "0 or 1", at)
    return bool(value != no_loss)


def invalid(where: str, key: str, data: bytes, expected: str, at: Mapping[str, Any]) -> Dropped:
    """A mark that cannot be obeyed, named with where it stands and what it says."""
    value = data[:80].decode(errors="replace")
    words = f"is {value}; expected {expected}" if expected[:2] != "no" else f"is {expected}"
    return Dropped("invalid_mark", f"{where}: `{key}` {words}", {**at, "key": key, "value": value})


class _MarkedPart(msgspec.Struct):
    train: Raw = _ABSENT
    weight: Raw = _ABSENT


_part = msgspec.json.Decoder(_MarkedPart).decode


def mark_of_parts(place: int, parts: Sequence[Raw]) -> Marks:
    """The mark of a turn whose content is a list of parts with marks (axolotl); none where no part has one.

    Raises Dropped where some carry loss and others do not: a turn is trained whole or not at all.
    """
    found = [_part(part) for part in parts if bytes(part)[:1] == b"{"]
    where, at = f"turn {place}, part of content", {"turn": place}
    said = {
        carries_loss(where, "train", part.train, at) is not False
        and carries_loss(where, "weight", part.weight, at) is not False
        for part in found
    }
    if said == {True, False}:
        raise invalid(where, "train", b"of some parts true, of others false", "one mark for all of them", at)
    return [("train", Raw(b"false"))] if said == {False} else []


def weigh_row(messages: Sequence[Message], weight: Raw | None, speaker: Raw | None) -> None:
    """Mask the assistant's turns of a row whose own marks say that they carry no loss.

    weight: what its loss is multiplied with. speaker: who carries none, by a name of the role. Raises
    Dropped.
    """
    unweighted = weight is not None and carries_loss("the row", "weight", weight, {}) is False
    data = b"null" if speaker is None else bytes(speaker)
    if data not in (b"", b"null"):
        role = role_of(str(plain(Raw(data))).strip().lower())
        if data[:1] != b'"' or role not in ROLES:
            raise invalid("the row", "mask", data, "the name of a role, user or assistant", {})
        unweighted |= role == "assistant"
    for message in messages if unweighted else ():
        if message["role"] not in _OTHERS:
            message["weight"] = 0
