"""What MODEL on the command line is: an adapter folder, a merged model's folder, or a GGUF file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from curation.errors import CurationError, Refusal
from curation.files import file_digest, self_digest
from curation.release.frozen import FROZEN_FOLDER
from curation.rendering.template import Template, known_template, load_template, own_template
from curation.sealed import Sealed, read_sealed
from train.model.adapter import CONFIG, adapter_digest, check_base_config, merged_weights, read_json
from train.model.load_model import has_package
from train.model.sizes import cached, model_settings, read_config
from train.model.tensors import Checkpoint, Weights, check_dtypes, fingerprint
from train.run.checkpoints import differences
from train.run.output import RUN, read_run

MERGE = "merge.json"
Kind = Literal["adapter", "merged", "gguf"]


class MergeRecord(Sealed, frozen=True):
    """merge.json. Digests are sha256; `run` is the adapter's run record, `files` names all others."""

    format: Literal[1]
    model: str
    base: str
    base_fingerprint: str
    adapter: str
    adapter_sha256: str
    run: dict[str, Any]
    files: dict[str, str]
    versions: dict[str, str]


class Model(NamedTuple):
    """A model on the disk.

    base: folder of the base model, null for a merged one and a GGUF. run: the trainer's record, empty
    when there is none. adapter_sha256: digest of the adapter that this is, or was made from.
    """

    path: Path
    kind: Kind
    base: Path | None
    run: dict[str, Any]
    adapter_sha256: str | None

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


def parent_of(path: Path) -> Path:
    """The folder that a model lies in, spelt as the model's own path is; of a link, where it points."""
    named = path.name not in ("", "..") and not path.is_symlink()
    return path.parent if named else path.resolve().parent


def find_model(path: Path, base: Path | None = None) -> Model:
    """The model at `path`. `base`: folder of the base model, in place of the recorded one.

    CurationError when there is no model, or its base is not here; Refusal when the base is another one
    than the adapter was trained on, or what is there was not finished.
    """
    if path.is_file() and path.suffix == ".gguf":
        return gguf_model(path)
    if not path.is_dir():
        raise CurationError(
            f"{path}: no such model; expected an adapter, a merged model's folder or a .gguf file"
        )
    if (path / CONFIG).is_file():
        run = read_run(path)
        folder = find_base(path, base)
        check_recorded(path, run, folder)
        return Model(path, "adapter", folder, run, adapter_digest(path))
    if (path / "config.json").is_file():
        return merged_model(path)
    raise CurationError(
        f"{path}: neither {CONFIG} nor config.json in it; expected an adapter or a merged model"
    )


def merged_model(path: Path) -> Model:
    """A merged model's folder; one that `aj merge` did not write has no record."""
    if not (path / MERGE).is_file():
        return Model(path, "merged", None, {}, None)
    record = read_sealed(path / MERGE, MergeRecord)
    for name in record.files:
        if not (path / name).is_file():
            raise Refusal(f"{path}: {name} is missing, which {MERGE} lists; merge again")
        if not name.endswith(".safetensors") and file_digest(path / name) != record.files[name]:
            raise Refusal(f"{path / name}: changed since `aj merge` wrote it")
    return Model(path, "merged", None, record.run, record.adapter_sha256)


def check_merged_weights(path: Path) -> None:
    """Refusal unless the weights of a merged model are what `aj merge` wrote. Reads all of them."""
    record = read_sealed(path / MERGE, MergeRecord)
    for name, digest in record.files.items():
        if name.endswith(".safetensors") and file_digest(path / name) != digest:
            raise Refusal(f"{path / name}: changed since `aj merge` wrote it; merge again")


def check_weights(model: Model) -> None:
    """Refusal unless a merged model or a GGUF file with a record is what was written. Reads all of it."""
    if model.kind == "merged" and model.run:
        check_merged_weights(model.path)
    record = record_path(model.path)
    if model.kind == "gguf" and record.is_file() and read_json(record)["sha256"] != file_digest(model.path):
        raise Refusal(f"{model.path}: changed since `aj export` wrote it; export again")


def gguf_model(path: Path) -> Model:
    """A GGUF file; one that `aj export` did not write has no record."""
    if not record_path(path).is_file():
        return Model(path, "gguf", None, {}, None)
    record = read_json(record_path(path))
    if record.get("self_sha256") != self_digest(record):
        raise Refusal(f"{record_path(path)}: changed since `aj export` wrote it; export again")
    return Model(path, "gguf", None, record.get("run", {}), record.get("adapter_sha256"))


def record_path(gguf: Path) -> Path:
    """The record beside a GGUF file."""
    return gguf.with_name(gguf.name + ".json")


def find_base(adapter: Path, given: Path | None = None) -> Path:
    """The folder of an adapter's base model: `given`, the recorded folder, or the hub's cache."""
    config = read_json(adapter / CONFIG)
    named = config.get("base_model_name_or_path")
    if given is None and not (isinstance(named, str) and named):
        raise CurationError(f"{adapter / CONFIG}: names no base model; give its folder with --base-model DIR")
    folder = given if given is not None else cached(str(named), config.get("revision"))
    read_config(folder)
    return folder


def with_base(command: str, base: Path | None) -> str:
    """A command to go on with that finds the base model where this one found it."""
    return f"{command} --base-model {base}" if base is not None else command


def frozen_path(run: Mapping[str, Any], path: Path) -> Path:
    """Where the frozen recipe of a model lies by default. CurationError when its record names none."""
    recorded = run.get("frozen")
    if not recorded:
        raise CurationError(f"{path}: no record of its frozen recipe; name it with --frozen FILE")
    return FROZEN_FOLDER / f"{recorded['name']}-v{recorded['version']}.yaml"


def evaluate_command(
    path: Path, run: Mapping[str, Any], frozen: Path | None = None, data: Path | None = None
) -> str:
    """`aj evaluate`, told where frozen recipe and dataset lie unless it finds them."""
    usual = frozen_path(run, path)
    named: Path | str | None = frozen if frozen != usual else None
    if frozen is None and not usual.is_file():
        named = "FILE"
    return " ".join(
        [
            f"aj evaluate {path}",
            *([f"--frozen {named}"] if named else []),
            *([f"--data {data}"] if data else []),
        ]
    )


def following_command(following: str, path: Path) -> str:
    """A command on a model; `export` with a quantisation that this machine makes: K-quants need llama.cpp."""
    quant = f" --quant {'q4_k_m' if has_package('llama_cpp') else 'q8_0'}" if following == "export" else ""
    return f"aj {following} {path}{quant}"


def check_recorded(path: Path, run: Mapping[str, Any], base: Path) -> None:
    """Refusal when the base model is not the one that the trainer recorded."""
    if run["base"]["fingerprint"] != fingerprint(base):
        raise Refusal(
            f"{path}: trained on another base model than {base}: the weights there have another fingerprint "
            f"than {RUN} records"
        )
    recorded = run["base"].get("settings", {})
    found = list(differences(recorded, model_settings(read_config(base)))) if recorded else []
    if found:
        raise Refusal(f"{path}: trained on another base model than {base}: {'; '.join(found[:3])}")


def model_template(folder: Path) -> Template:
    """The chat template that lies in a model's folder. Refusal when there is none."""
    return known_template(own_template(folder)) or load_template("model", folder)
