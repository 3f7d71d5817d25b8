from pathlib import Path

from langdetect.detector_factory import PROFILES_DIRECTORY

from curation.recipe.kinds import LANGUAGES
from curation.stages.language.models import ISO, UNDETERMINED, langid_tables
from curation.stages.language.tiers import SCRIPT_LANGUAGE


def test_the_languages_that_a_recipe_may_keep_are_those_that_the_stage_can_say():
    detected = (path.name for path in Path(PROFILES_DIRECTORY).iterdir())
    said = {*langid_tables()[0], *detected, *SCRIPT_LANGUAGE.values()}
    assert {ISO.get(label, label) for label in said} - {UNDETERMINED} == LANGUAGES
