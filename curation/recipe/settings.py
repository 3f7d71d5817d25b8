"""The settings of every stage, as the recipe writes them. Unknown keys and wrong types are errors."""

import re
from typing import Annotated, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]

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


class StageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the settings of a stage."""


class Normalise(StageSettings, frozen=True):
    """Unicode and white space. `replacement`: what happens to a row with U+FFFD in it."""

    form: Literal["NFC", "none"] = "NFC"
    replacement: Literal["flag", "drop"] = "flag"


class Chat(StageSettings, frozen=True):
    """Roles, order, empty turns, the last turn, text that spells a control token."""

    repair: bool = True
    control_tokens: Literal["drop", "neutralise"] = "drop"


ToolRepair = Literal["types", "json", "nesting", "ids", "order"]


class Tools(StageSettings, frozen=True):
    """Every tool call against its schema. `schema`: a built-in name or a path from the data root.

    `schema` is for rows without tools of their own, `sources` the same for single sources; `any`
    takes every tool and checks form alone (JSON, ids, results).
    """

    schema: str = "aj_tools"
    sources: dict[str, str] = msgspec.field(default_factory=dict)
    repair: bool | list[ToolRepair] = True
    bash_syntax: Literal["drop", "flag", "ignore"] = "drop"


class Language(StageSettings, frozen=True):
    """Which languages stay. Code-heavy and very short rows are `undetermined`."""

    keep: list[str] = msgspec.field(default_factory=lambda: ["en"])
    undetermined: Literal["keep", "drop"] = "keep"


class Length(StageSettings, frozen=True):
    """Tokens of the rendered row against the context."""

    max_tokens: Positive
    min_tokens: Count = 0
    too_long: Literal["split", "drop", "cut"] = "split"


PiiKind = Literal["email", "phone", "ip", "card", "secret"]


class Pii(StageSettings, frozen=True):
    """Personal data and secrets: masked in place or the row dropped."""

    action: Literal["mask", "drop", "flag"] = "mask"
    kinds: list[PiiKind] = msgspec.field(default_factory=lambda: ["email", "phone", "ip", "card", "secret"])


class ExactDuplicates(StageSettings, frozen=True):
    """Equal messages and tools. `keep`: sources in the order in which their rows stay."""

    keep: list[str] = []


class NearDuplicates(StageSettings, frozen=True):
    """Verified Jaccard of word 5-grams. `system: ignore` compares across system prompts."""

    similarity: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    keep: list[str] = []
    system: Literal["distinct", "ignore"] = "distinct"
    backend: Literal["native", "datasketch"] = "native"


class Contamination(StageSettings, frozen=True):
    """Rows that hold text of given files (benchmarks, held-out sets): word n-grams in common."""

    against: list[str]
    ngram: Positive = 13
    min_share: Share = 0.5


class Exclude(StageSettings, frozen=True):
    """Rows that a person marked to leave out. `file`: what `aj review` writes, from the data root."""

    file: Annotated[str, msgspec.Meta(min_length=1)]


STAGE_SETTINGS: dict[str, type[StageSettings]] = {
    "normalise": Normalise,
    "chat": Chat,
    "tools": Tools,
    "language": Language,
    "length": Length,
    "pii": Pii,
    "exact_duplicates": ExactDuplicates,
    "near_duplicates": NearDuplicates,
    "contamination": Contamination,
    "exclude": Exclude,
}
