from pathlib import Path
from typing import Annotated

import msgspec
from langdetect.detector_factory import PROFILES_DIRECTORY

from curation.recipe.kinds import LANGUAGES, LATER, DataPath, Positive, as_stored
from curation.stages.language.judges import SCRIPT_LANGUAGES
from curation.stages.language.models import ISO, UNDETERMINED, langid_tables


def test_the_languages_that_a_recipe_may_keep_are_those_that_the_stage_can_say():
    detected = (path.name for path in Path(PROFILES_DIRECTORY).iterdir())
    said = {*langid_tables()[0], *detected, *(name for names in SCRIPT_LANGUAGES.values() for name in names)}
    assert {ISO.get(label, label) for label in said} - {UNDETERMINED} == LANGUAGES


def test_a_later_key_is_stored_where_it_differs_from_its_default():
    class Inner(msgspec.Struct):
        size: Annotated[Positive, LATER] = 3

    class Outer(msgspec.Struct):
        name: str
        parts: list[Inner] = []
        file: Annotated[DataPath | None, LATER] = None
        roles: Annotated[dict[str, str], LATER] = {}

    assert as_stored(Outer("a", [Inner()])) == {"name": "a", "parts": [{}]}
    whole = Outer("a", [Inner(4)], "b.json", {"x": "user"})
    assert as_stored(whole) == msgspec.to_builtins(whole)
    assert msgspec.convert(as_stored(Outer("a", [Inner()])), Outer) == Outer("a", [Inner()])
