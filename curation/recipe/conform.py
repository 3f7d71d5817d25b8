"""Does a document fit a type? Every fault at once, in the words of the person who wrote it.

msgspec stops at the first fault and does not know its own keys' neighbours; a recipe's writer wants
all of them, with what would be right. The types are the Structs themselves, so nothing is said twice.
"""

import datetime
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec.inspect as types

from curation.errors import RecipeError
from curation.recipe.yaml_lines import Document, KeyPath, Scalar, key_name

# A longer word was not mistyped, and comparing it takes quadratic time.
LONGEST_WORD = 80
MOST_FAULTS = 50


class Fault(NamedTuple):
    """What is wrong at a path, and what would be right."""

    path: KeyPath
    text: str


def fault_error(document: Document, faults: Iterable[Fault]) -> RecipeError:
    """The faults as one error: one line, or a header and one line each, in the order of the file.

    No more than MOST_FAULTS are looked for: a file with more of them is not a recipe.
    """
    found = list(islice(dict.fromkeys(islice(faults, MOST_FAULTS * 4)), MOST_FAULTS + 1))
    many = len(found) > MOST_FAULTS
    placed = [(document.line(f.path) or 0, key_name(f.path), f.text) for f in found[:MOST_FAULTS]]
    placed.sort(key=lambda entry: entry[0])
    lines = [(f":{line}" if line else "", f"{key}: {text}" if key else text) for line, key, text in placed]
    if len(lines) == 1:
        return RecipeError(f"{document.name}{lines[0][0]}: {lines[0][1]}")
    body = "".join(f"\n  {document.name}{at}: {text}" for at, text in lines)
    return RecipeError(f"{document.name}: {'more than ' if many else ''}{len(lines)} faults{body}")


def raise_faults(document: Document, faults: Iterable[Fault]) -> None:
    """Raise `fault_error` if there is any fault."""
    rest = iter(faults)
    first = next(rest, None)
    if first is not None:
        raise fault_error(document, chain([first], rest))


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    if len(word) > LONGEST_WORD:
        return None
    by_fold = {k.casefold(): k for k in known}
    near = get_close_matches(word.casefold().replace("-", "_"), by_fold, n=1, cutoff=0.6)
    return by_fold[near[0]] if near else None


def meant(word: str, known: Iterable[str], kind: str = "known") -> str:
    """`did you mean 'x'?`, or the list of what there is."""
    choices = list(known)
    near = suggestion(word, choices)
    return f"did you mean '{near}'?" if near else f"{kind}: {', '.join(choices) or 'none'}"


def conform(document: Document, kind: Any, path: KeyPath = (), value: Any = None) -> Iterator[Fault]:
    """Every fault of the document, or of the part of it at `path`, against a type."""
    whole = document.value if path == () else value
    return check(whole, types.type_info(kind), path, document)


def check(value: Any, info: Any, path: KeyPath, document: Document) -> Iterator[Fault]:
    """The faults of one value and of everything below it."""
    kind = plain(info)
    if isinstance(kind, types.UnionType):
        fitting = [option for option in map(plain, kind.types) if fits(value, option)]
        inner = fitting[0] if fitting else kind
        if isinstance(inner, types.StructType | types.DictType | types.ListType):
            yield from check(value, inner, path, document)
        elif not any(in_range(value, option) for option in fitting):
            yield Fault(path, wrong(value, info, document.scalars.get(path)))
    elif not fits(value, kind) or not in_range(value, kind):
        yield Fault(path, wrong(value, info, document.scalars.get(path)))
    elif isinstance(kind, types.StructType):
        yield from check_keys(value, kind, path, document)
    elif isinstance(kind, types.DictType):
        for key, inner in value.items():
            if not in_range(key, plain(kind.key_type)):
                yield Fault((*path, key), f"expected {wanted(kind.key_type)} as the key")
            yield from check(inner, kind.value_type, (*path, key), document)
    elif isinstance(kind, types.ListType):
        for index, inner in enumerate(value):
            yield from check(inner, kind.item_type, (*path, index), document)


def check_keys(
    value: dict[str, Any], kind: types.StructType, path: KeyPath, document: Document
) -> Iterator[Fault]:
    """Unknown keys, missing keys, and the values of the others."""
    fields = {field.encode_name: field for field in kind.fields}
    misspelt = set()
    for key, inner in value.items():
        if key in fields:
            yield from check(inner, fields[key].type, (*path, key), document)
        else:
            near = suggestion(key, [name for name in fields if name not in value])
            misspelt.add(near)
            hint = f"did you mean '{near}'?" if near else place_of(key, fields)
            yield Fault((*path, key), f"unknown key; {hint}")
    for key, field in fields.items():
        if field.required and key not in value and key not in misspelt:
            yield Fault((*path, key), f"missing; expected {wanted(field.type)}")


def place_of(key: str, fields: dict[str, types.Field]) -> str:
    """Where a key that is unknown here belongs, or what is known here."""
    for section, field in fields.items():
        inner = plain(field.type)
        if isinstance(inner, types.StructType) and key in {f.encode_name for f in inner.fields}:
            return f"it belongs under '{section}:'"
    if key.isdigit():
        return "numbers are written without separators, 127366"
    return f"known here: {', '.join(fields)}"


def plain(kind: Any) -> Any:
    """A type without its description."""
    return plain(kind.type) if isinstance(kind, types.Metadata) else kind


def fits(value: Any, kind: Any) -> bool:
    """Whether a value has the right JSON type; nothing is coerced but 3 to 3.0."""
    match kind:
        case types.StructType() | types.DictType():
            return isinstance(value, dict)
        case types.ListType():
            return isinstance(value, list)
        case types.BoolType():
            return isinstance(value, bool)
        case types.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case types.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case types.StrType() | types.DateType():
            return isinstance(value, str)
        case types.NoneType():
            return value is None
        case types.LiteralType():
            return any(type(value) is type(choice) for choice in kind.values)
        case _:
            return True


def in_range(value: Any, kind: Any) -> bool:
    """Whether a value of the right type is one of those allowed."""
    match kind:
        case types.IntType() | types.FloatType():
            return not (
                (kind.ge is not None and value < kind.ge)
                or (kind.gt is not None and value <= kind.gt)
                or (kind.le is not None and value > kind.le)
                or (kind.lt is not None and value >= kind.lt)
            )
        case types.DictType() | types.ListType():
            return len(value) >= (kind.min_length or 0)
        case types.StrType():
            long_enough = len(value.strip()) >= (kind.min_length or 0)
            return long_enough and (kind.pattern is None or re.search(kind.pattern, value) is not None)
        case types.LiteralType():
            return value in kind.values
        case types.DateType():
            return is_date(value)
        case _:
            return True


def is_date(text: str) -> bool:
    """Whether a text is a day, written 2027-01-31."""
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def wanted(kind: Any) -> str:
    """A type in words."""
    if isinstance(kind, types.Metadata) and "description" in (kind.extra_json_schema or {}):
        return str((kind.extra_json_schema or {})["description"])
    kind = plain(kind)
    match kind:
        case types.UnionType():
            return " or ".join(wanted(t) for t in kind.types if not isinstance(plain(t), types.NoneType))
        case types.StructType():
            return f"a mapping with {', '.join(field.encode_name for field in kind.fields)}"
        case types.DictType():
            return "a mapping (key: value)"
        case types.ListType():
            inner = plain(kind.item_type)
            return f"a list of {wanted(inner)}" if isinstance(inner, types.LiteralType) else "a list"
        case types.BoolType():
            return "true or false"
        case types.IntType() | types.FloatType():
            return ("a whole number" if isinstance(kind, types.IntType) else "a number") + bounds(kind)
        case types.LiteralType():
            choices = ", ".join(map(str, kind.values))
            return choices if len(kind.values) == 1 else f"one of {choices}"
        case types.DateType():
            return "a day such as 2027-01-31"
        case _:
            return "text"


def bounds(kind: Any) -> str:
    """The range of a number in words."""
    low = kind.ge if kind.ge is not None else kind.gt
    high = kind.le if kind.le is not None else kind.lt
    if low is not None and high is not None:
        if kind.le is None:
            return f" {'of at least' if kind.ge is not None else 'above'} {low} and below {high}"
        return f" {'from' if kind.ge is not None else 'above'} {low} to {high}"
    if low is not None:
        return f" of at least {low}" if kind.ge is not None else f" above {low}"
    return "" if high is None else f" of at most {high}" if kind.le is not None else f" below {high}"


def wrong(value: Any, kind: Any, scalar: Scalar | None) -> str:
    """Expected what, got what, and how to mend it."""
    advice = remedy(value, kind, scalar)
    if advice.startswith("did you mean") and len(wanted(kind)) > 60:
        return f"unknown value {got(value, scalar)}; {advice}"
    return f"expected {wanted(kind)}, got {got(value, scalar)}" + (f"; {advice}" if advice else "")


def got(value: Any, scalar: Scalar | None) -> str:
    """A value in words, numbers as they were typed."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {scalar.text if scalar else value}"
    if isinstance(value, str):
        return f"'{value[:60]}…'" if len(value) > 60 else f"'{value}'"
    empty = "" if value else "n empty"
    return f"a{empty} list" if isinstance(value, list) else f"a{empty} mapping"


def remedy(value: Any, info: Any, scalar: Scalar | None) -> str:
    """How to mend a value of the wrong type or range, where that is clear."""
    kind = plain(info)
    kinds = [plain(k) for k in kind.types] if isinstance(kind, types.UnionType) else [kind]
    mend = (info.extra or {}).get("mend") if isinstance(info, types.Metadata) else None
    if mend and scalar and (better := mend(scalar.text)):
        return f"write {better}"
    if isinstance(value, str) and (advice := remedy_of_text(value, kinds)):
        return advice
    for kind in kinds:
        if isinstance(kind, types.ListType) and scalar and fits(value, plain(kind.item_type)):
            return f"write [{scalar.text}]"
        if isinstance(kind, types.StructType) and scalar and fits_union(value, kind.fields[0].type):
            others = "".join(f", {field.encode_name}: …" for field in kind.fields[1:] if field.required)
            return f"write {{{kind.fields[0].encode_name}: {scalar.text}{others}}}"
        if isinstance(kind, types.IntType) and isinstance(value, float) and value.is_integer():
            return f"write {int(value)}"
        if isinstance(kind, types.StrType) and isinstance(value, int | float) and scalar:
            return f'quote it: "{scalar.text}"' if in_range(scalar.text, kind) else ""
    return ""


def remedy_of_text(value: str, kinds: list[Any]) -> str:
    """How to mend a text that should be something else, or another text."""
    word = value.strip().casefold()
    choices = [str(c) for kind in kinds if isinstance(kind, types.LiteralType) for c in kind.values]
    near = suggestion(value, choices)
    if near:
        return f"did you mean '{near}'?"
    if any(isinstance(kind, types.BoolType) for kind in kinds) and word in YES_NO:
        return f"write {YES_NO[word]}"
    if any(isinstance(kind, types.IntType | types.FloatType) for kind in kinds):
        return unquoted(value, any(isinstance(kind, types.FloatType) for kind in kinds))
    return ""


def fits_union(value: Any, info: Any) -> bool:
    """Whether a value fits a type or, of a union, one that is not null."""
    kind = plain(info)
    options = kind.types if isinstance(kind, types.UnionType) else (kind,)
    return value is not None and any(fits(value, plain(option)) for option in options)


YES_NO = {"yes": "true", "on": "true", "y": "true", "true": "true"} | {
    "no": "false",
    "off": "false",
    "n": "false",
    "false": "false",
}


def unquoted(value: str, with_point: bool) -> str:
    """The number that a text was meant to be: quoted, with separators, or as a percentage."""
    text = re.sub(r"(?<=\d)[_,' ](?=\d{3})", "", value.strip())
    if re.fullmatch(r"[-+]?\d+", text) or (
        with_point and re.fullmatch(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?", text)
    ):
        return f"write {text}" + ("" if text != value else " without quotes")
    if with_point and re.fullmatch(r"\d+(\.\d+)?\s*%", text):
        return f"write {round(float(text.rstrip('% ')) / 100, 6):g}"
    return ""
