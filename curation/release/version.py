"""Versions that say what changed (DESIGN.md §9): major for the base model, minor for what is mixed,
patch for how it is trained.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from curation.errors import CurationError, Refusal

SUFFIX = re.compile(r"[a-z0-9]+")
# How quantisations are spelt in a name; others lose their underscores.
QUANT_SUFFIXES = {"q8_0": "q8"}

KINDS = ("major", "minor", "patch")
# Keys of a recipe that decide what rows a dataset holds. The root tells too, but not why.
MIX_KEYS = ("seed", "sources", "mixture", "split", "stages", "tokenizer", "template")
# Keys that may differ without a change of what is trained.
NEUTRAL_KEYS = ("name", "version", "base_model", "baseline", "data_root")
# Another revision of the same model is a setting, no other model.
MODEL_KEYS = ("id", "code")


class Version(NamedTuple):
    """major.minor.patch, in the order of releases."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def next(self, kind: str) -> "Version":
        """The next version of a kind: 2.1.3 → 3.0.0, 2.2.0 or 2.1.4."""
        place = KINDS.index(kind)
        numbers = [*self[:place], self[place] + 1, 0, 0]
        return Version(*numbers[:3])


class Change(NamedTuple):
    """What kind of version the changes ask for, and what they are."""

    kind: str
    what: list[str]


def parse_version(text: str) -> Version:
    """A version from `2.0.0`. Raises CurationError on anything else."""
    found = re.fullmatch(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", text, re.ASCII)
    if not found:
        raise CurationError(f"version {text!r}: expected major.minor.patch such as 2.0.0")
    return Version(*map(int, found.groups()))


def model_name(code: str, version: str, suffix: str) -> str:
    """AJ-<code>-v<version>-<suffix>; the suffix is lora, merged, or a quantisation such as q4_k_m."""
    spelt = QUANT_SUFFIXES.get(suffix.lower(), suffix.lower().replace("_", ""))
    if not SUFFIX.fullmatch(spelt):
        raise CurationError(f"suffix {suffix!r}: expected lora, merged or a quantisation such as q4_k_m")
    return f"AJ-{code}-v{parse_version(version)}-{spelt}"


def changes(
    recipe: Mapping[str, Any], root: str, previous: Mapping[str, Any], previous_root: str
) -> Change | None:
    """What changed from the previous resolved recipe and root; None when nothing did."""
    base, previous_base = recipe["base_model"], previous["base_model"]
    model = [f"base_model.{key}" for key in MODEL_KEYS if base.get(key) != previous_base.get(key)]
    if model:
        return Change("major", model)
    mix = [key for key in MIX_KEYS if recipe.get(key) != previous.get(key)]
    if root != previous_root:
        mix.append("the dataset's root")
    if mix:
        return Change("minor", mix)
    rest = sorted({*recipe, *previous} - {*NEUTRAL_KEYS, *MIX_KEYS})
    settings = [key for key in rest if recipe.get(key) != previous.get(key)]
    if base != previous_base:
        settings.append("base_model.revision")
    return Change("patch", settings) if settings else None


def check_version(version: Version, previous: Version, change: Change | None) -> None:
    """Raise Refusal unless `version` says what changed since `previous`, naming the right one."""
    if change is None:
        raise Refusal(f"version {version}: nothing changed since {previous}; that one stands for it")
    right = previous.next(change.kind)
    if said(version, previous) != change.kind:
        raise Refusal(
            f"version {version}: {listed(change.what)} changed since {previous}, which asks for a "
            f"{change.kind} version; set `version: {right}` and curate again"
        )


def said(version: Version, previous: Version) -> str | None:
    """The kind of change that a version speaks of; None when it is no successor."""
    for place, kind in enumerate(KINDS):
        if version[place] != previous[place]:
            later = version[place] > previous[place] and not any(version[place + 1 :])
            return kind if later else None
    return None


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
