"""The base model: a local folder or the hub's cache, never the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import Refusal
from curation.recipe.load import is_commit
from train.model.families.table import architecture
from train.model.sizes import cached, check_known, model_settings, read_config
from train.model.tensors import fingerprint


@dataclass(frozen=True)
class Base:
    """A base model that lies in `folder`. `config` is its config.json.

    revision: as it was asked for. commit: the hub's commit that the folder holds, null where nothing in
    it tells. fingerprint: of its weights, as `train.model.tensors.fingerprint` makes it.
    """

    id: str
    revision: str | None
    commit: str | None
    folder: Path
    config: Mapping[str, Any]
    fingerprint: str

    def as_dict(self) -> dict[str, Any]:
        """What a run record says of it, free of the machine."""
        return {
            "id": self.id,
            "revision": self.revision,
            "commit": self.commit,
            "architecture": architecture(self.config),
            "fingerprint": self.fingerprint,
            "settings": model_settings(self.config),
        }


def find_base(model_id: str, revision: str | None = None, folder: Path | None = None) -> Base:
    """The base model of a recipe, from `folder` or the hub's cache, with its weights.

    Raises CurationError with one line that says what is missing and how to get it, and Refusal when
    `revision` is a commit and the folder holds another.
    """
    place = folder if folder is not None else cached(model_id, revision)
    config = read_config(place)
    check_known(model_id, config, place)
    commit = commit_of(place)
    if commit is not None and is_commit(revision) and commit != revision:
        raise Refusal(f"{place}: holds {model_id} at commit {commit}, the frozen recipe names {revision}")
    return Base(model_id, revision, commit, place, config, fingerprint(place))


def commit_of(folder: Path) -> str | None:
    """The hub's commit that a folder holds: of a snapshot in its cache, or as `hf download` noted it."""
    place = folder.resolve()
    if place.parent.name == "snapshots" and is_commit(place.name):
        return place.name
    notes = place / ".cache" / "huggingface" / "download"
    # The first line of a note is the commit; a folder that was filled twice may hold files of two.
    found = {
        (notes / f"{path.name}.metadata").read_text(encoding="utf-8").split("\n")[0]
        for path in [place / "config.json", *place.glob("*.safetensors")]
        if (notes / f"{path.name}.metadata").is_file()
    }
    return next(iter(found)) if len(found) == 1 and all(map(is_commit, found)) else None


def check_vocabulary(config: Mapping[str, Any], largest_id: int, where: Path) -> None:
    """Raise Refusal when the tokenizer has ids that the model has no embedding for."""
    rows = int(config["vocab_size"])
    if largest_id >= rows:
        raise Refusal(
            f"{where}: the tokenizer's largest id is {largest_id}, the model has {rows} embeddings; this is "
            f"the tokenizer of another model"
        )
