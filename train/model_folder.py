"""What MODEL on the command line is: an adapter folder, a merged model's folder, or a GGUF file."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from curation.errors import CurationError, Refusal
from train.adapter import CONFIG, adapter_digest, check_base_config, merged_weights, read_json
from train.tensors import Checkpoint, Weights, check_dtypes, fingerprint

RUN = "run.json"
MERGE = "merge.json"


class Model(NamedTuple):
    """A model on the disk.

    base: folder of the base model, null for a merged one and a GGUF. run: the trainer's record, empty
    when there is none.
    """

    path: Path
    kind: Literal["adapter", "merged", "gguf"]
    base: Path | None
    run: dict[str, Any]

    @property
    def name(self) -> str:
        """AJ-<code>-v<version> without a suffix; the folder's own name where none is recorded."""
        recorded = self.run.get("model")
        name = recorded if isinstance(recorded, str) else self.path.resolve().name
        for suffix in ("-lora", "-merged"):
            name = name.removesuffix(suffix)
        return name

    @property
    def weights_folder(self) -> Path:
        """Where the model's config.json is."""
        return self.base or self.path

    def weights(self) -> Weights:
        """The weights, merged where this is an adapter, once they are known to fit."""
        if self.kind == "adapter":
            assert self.base is not None
            return merged_weights(self.base, self.path)
        checkpoint = Checkpoint(self.path)
        check_dtypes(checkpoint.entries, self.path)
        check_base_config(self.path)
        return checkpoint

    @property
    def digest(self) -> str:
        """sha256 of the adapter that this model is, or was merged from."""
        if self.kind == "adapter":
            return adapter_digest(self.path)
        return str(self.run.get("adapter_sha256") or fingerprint(self.path))


def find_model(path: Path, base: Path | None = None) -> Model:
    """The model at `path`. `base`: folder of the base model, in place of the recorded one.

    CurationError when there is no model, or its base is not here; Refusal when the base is another one
    than the adapter was trained on, or what is there was not finished.
    """
    if path.is_file() and path.suffix == ".gguf":
        return Model(path, "gguf", None, read_json(record_path(path)) if record_path(path).is_file() else {})
    if not path.is_dir():
        raise CurationError(
            f"{path}: no such model; expected an adapter, a merged model's folder or a .gguf file"
        )
    if (path / CONFIG).is_file():
        run = read_json(path / RUN) if (path / RUN).is_file() else {}
        folder = find_base(path, base)
        check_recorded(path, run, folder)
        return Model(path, "adapter", folder, run)
    if (path / "config.json").is_file():
        return Model(path, "merged", None, read_json(path / MERGE) if (path / MERGE).is_file() else {})
    raise CurationError(
        f"{path}: neither {CONFIG} nor config.json in it; expected an adapter or a merged model"
    )


def record_path(gguf: Path) -> Path:
    """The record beside a GGUF file."""
    return gguf.with_name(gguf.name + ".json")


def find_base(adapter: Path, given: Path | None = None) -> Path:
    """The folder of an adapter's base model: `given`, the recorded folder, or the hub's cache."""
    config = read_json(adapter / CONFIG)
    if given is not None:
        if not (given / "config.json").is_file():
            raise CurationError(f"{given}: no model; expected a folder with config.json and safetensors")
        return given
    named = config.get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise CurationError(f"{adapter / CONFIG}: names no base model; give its folder with --base DIR")
    if (Path(named) / "config.json").is_file():
        return Path(named)
    cached = in_hub_cache(named, config.get("revision"))
    if cached is None:
        raise CurationError(
            f"{adapter}: its base model {named} is not on this machine; fetch it with `hf download {named}`, "
            f"or give its folder with --base DIR"
        )
    return cached


def in_hub_cache(name: str, revision: str | None) -> Path | None:
    """The snapshot folder of a hub model that was fetched before; null without one. No network."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def check_recorded(path: Path, run: dict[str, Any], base: Path) -> None:
    """Refusal when the base model is not the one that the trainer recorded."""
    recorded = base_fingerprint(run)
    if recorded and recorded != fingerprint(base):
        raise Refusal(
            f"{path}: trained on another base model than {base}: the weights there have another fingerprint "
            f"than {RUN} records"
        )


def base_fingerprint(run: dict[str, Any]) -> str | None:
    """The fingerprint of the base model as a run record holds it."""
    base = run.get("base")
    recorded = base.get("fingerprint") if isinstance(base, dict) else run.get("base_fingerprint")
    return recorded if isinstance(recorded, str) else None
