"""What a command needs before it starts: a recipe that is right, and packages."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from curation.errors import CurationError, to_install

if TYPE_CHECKING:
    from curation.recipe.load import Recipe

TRAINING = ("torch", "transformers", "peft")


def load_early(recipe: Path, data_root: Path | None = None) -> "Recipe":
    """A wrong recipe is refused at once, before anything heavy is imported."""
    from curation.recipe.load import load_recipe

    return load_recipe(recipe, data_root=data_root)


def refuse_early(recipe: "Recipe", base_model: Path | None = None) -> list[str]:
    """What else to say of how a recipe trains. Raises RecipeError with all that `aj train` would refuse."""
    from curation.recipe.conform import raise_faults
    from train.run.foreseen import foreseen

    faults, notes = foreseen(recipe, base_model)
    raise_faults(recipe.document, faults)
    return notes


def need(*packages: str) -> None:
    """Raise CurationError with how to install what a command needs and is not there."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise CurationError(f"{', '.join(missing)} not installed: {to_install('train')}")
