"""`aj export`: GGUF files for llama.cpp and Ollama, straight from base model and adapter.

No merged copy is written. A file is tried in llama.cpp before it gets its name, and its record
(`<file>.json`) comes last; a trial's adapter, and one that did not pass its recipe's evaluation, is refused.
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from curation.errors import CurationError, Refusal
from curation.files import file_digest, remove_half_written, replacing, write_bytes
from curation.release.version import QUANT_SUFFIXES, model_name
from curation.rendering.template import Template
from curation.sealed import Sealed, read_sealed, write_sealed
from curation.versions import versions
from train.data.encoding import Encoder
from train.model.adapter import read_json
from train.model.tensors import Weights
from train.run.model_folder import (
    MERGE,
    Model,
    check_merged_weights,
    find_model,
    model_template,
    parent_of,
    record_path,
)
from train.run.serving import gguf_commands, gguf_serving
from train.ship.check_gguf import GgufCheck, check_gguf, parity_ids
from train.ship.evaluation import passing_evaluation
from train.ship.gguf_writer import Header, Planned, tensor_bytes, tensor_names, write_gguf
from train.ship.modelfile import modelfile
from train.ship.quantise import INSTALL, QUANTS, check_llama, encode, has_llama, needs_llama, plan
from train.ship.reference import reference_logits
from train.ship.round_trip import RoundTrip, in_words, round_trip

NAME = re.compile(r"AJ-([A-Za-z0-9]+)-v(\d+\.\d+\.\d+)")
MARGIN = 64 << 20  # bytes for metadata, the vocabulary above all


class GgufRecord(Sealed, frozen=True):
    """`<file>.gguf.json`. Digests are sha256. check: null when llama.cpp was not there to try the file.

    history: how answers read that a client took apart and sent back (train/ship/round_trip.py).
    """

    format: Literal[1]
    file: str
    sha256: str
    bytes: int
    quant: str
    model: str
    adapter_sha256: str | None
    evaluation_sha256: str | None
    template_sha256: str
    check: dict[str, Any] | None
    run: dict[str, Any]
    versions: dict[str, str]
    history: dict[str, Any] | None = None


class Exported(NamedTuple):
    """One file. `types`: how many tensors have which type. `reused`: it had been finished before."""

    path: Path
    record: GgufRecord
    types: dict[str, int]
    reused: bool = False

    def as_text(self) -> str:
        """For people."""
        check = self.record.check
        types = ", ".join(f"{count} {name}" for name, count in self.types.items())
        size = f"{self.record.bytes / 1e9:,.3f} GB ({types})"
        lines = [f"wrote    {self.path}: {size}{', finished before, nothing to do' if self.reused else ''}"]
        if check is None:
            lines.append(f"         not tried in llama.cpp: that {INSTALL}")
        else:
            lines.append(
                f"tried    in llama.cpp: same tokens as in training, divergence "
                f"{check['kl_mean']:.2g} nats per token "
                f"(at most {check['max_kl']:g}), same best guess for {check['top1']:.1%}"
            )
        if self.record.history is not None:
            lines.append(f"history  {in_words(self.record.history)}")
        commands = gguf_commands(self.record.run, str(self.path), llama=has_llama())
        return "\n".join([*lines, f"next     {', or: '.join(commands)}"])


class Source(NamedTuple):
    """What all files of one export share. expected: logits to compare with, made when first needed."""

    model: Model
    weights: Weights
    config: dict[str, Any]
    template: Template
    ids: list[list[int]]
    evaluation_sha256: str | None
    expected: Callable[[], list[torch.Tensor]]


def export(
    path: Path,
    quants: Sequence[str],
    *,
    out: Path | None = None,
    base: Path | None = None,
    force: bool = False,
) -> list[Exported]:
    """Write one GGUF file per quantisation to `out` (default: beside the model), each tried before named.

    base: folder of the base model, in place of the recorded one. A file that an earlier export of the same
    model finished stays. Refusal for trials, adapters without a passing evaluation where the recipe asks
    for one, models that GGUF or this writer does not cover, and files that llama.cpp reads differently.
    CurationError when another file exists, the disk is too small or the `export` extra is missing.
    """
    unknown = [quant for quant in quants if quant not in QUANTS]
    if unknown or not quants:
        raise CurationError(f"quantisation {unknown or 'missing'}: expected some of {', '.join(QUANTS)}")
    model = find_model(path, base)
    if model.kind == "gguf":
        raise CurationError(f"{path}: a GGUF file already; export takes an adapter or a merged model")
    evaluation = check_exportable(model)
    source = open_source(model, evaluation)
    folder = out or parent_of(path)
    planned = {quant: plan_file(source, quant) for quant in dict.fromkeys(quants)}
    targets = {quant: folder / f"{gguf_name(model, quant)}.gguf" for quant in planned}
    made = {} if force else finished_before(source, planned, targets)
    missing = {quant: tensors for quant, tensors in planned.items() if quant not in made}
    if any(map(needs_llama, missing.values())):
        check_llama("a K-quant")
    for quant in missing:
        check_free(targets[quant], force=force)
    check_space(folder, [sum(map(tensor_bytes, tensors)) for tensors in missing.values()])
    return [made.get(quant) or write_one(source, quant, planned[quant], targets[quant]) for quant in planned]


def check_exportable(model: Model) -> str | None:
    """The digest of the evaluation where the recipe asks for one. Refusal for what may not go out."""
    if not model.run:
        raise Refusal(
            f"{model.path}: no record of how it was trained; export takes what `aj` trained or merged"
        )
    if model.run.get("trial"):
        raise Refusal(
            f"{model.path}: a trial's adapter (--trial-steps); train it in full before you export it"
        )
    folders = [model.path]
    if model.kind == "merged":
        check_merged_weights(model.path)
        folders.append(Path(read_json(model.path / MERGE)["adapter"]))
    return passing_evaluation(folders, model.run.get("evaluation") or [], model.adapter_sha256)


def open_source(model: Model, evaluation: str | None) -> Source:
    """Weights, settings and template, checked against each other."""
    config = read_json(model.weights_folder / "config.json")
    template = model_template(model.path)
    weights = model.weights()
    ids = parity_ids(Encoder(model.path, template))
    kept: list[list[torch.Tensor]] = []

    def expected() -> list[torch.Tensor]:
        if not kept:
            kept.append(reference_logits(weights, model.weights_folder, ids))
        return kept[0]

    return Source(model, weights, config, template, ids, evaluation, expected)


def plan_file(source: Source, quant: str) -> list[Planned]:
    """The tensors of one file."""
    names = tensor_names(source.weights, source.config)
    tied = bool(source.config.get("tie_word_embeddings"))
    return plan(source.weights, names, quant, layers=source.config["num_hidden_layers"], tied=tied)


def gguf_name(model: Model, quant: str) -> str:
    """AJ-<code>-v<version>-<quantisation>."""
    found = NAME.fullmatch(model.name)
    if found:
        return model_name(found[1], found[2], quant)
    return f"{model.name}-{QUANT_SUFFIXES.get(quant, quant.replace('_', ''))}"


def check_free(target: Path, *, force: bool) -> None:
    """CurationError when the file is there already. Leftovers of a killed run are removed."""
    if (target.exists() or record_path(target).exists()) and not force:
        raise CurationError(f"{target} exists; use --force to replace it, or --out for another folder")
    remove_half_written(target)


def check_space(folder: Path, sizes: Sequence[int]) -> None:
    """CurationError when the disk is too small for all files, before hours are spent on them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CurationError(f"{folder}: cannot be made: {error.strerror or error}; use --out DIR") from error
    free, needed = shutil.disk_usage(folder).free, sum(sizes) + MARGIN * len(sizes)
    if free < needed:
        raise CurationError(
            f"{folder}: {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed; use --out DIR"
        )


def write_one(source: Source, quant: str, tensors: list[Planned], target: Path) -> Exported:
    """One file: written beside its place, tried, named, and recorded last."""
    header = Header(
        name=source.model.name,
        file_type=QUANTS[quant].file_type,
        config=source.config,
        tokenizer=source.model.path,
        template=source.template,
    )
    record_path(target).unlink(missing_ok=True)
    with replacing(target) as beside:
        write_gguf(beside, header, tensors, partial(tensor_data, source.weights))
        check: GgufCheck | None = None
        if has_llama():
            check = check_gguf(beside, quant, source.template, source.ids, source.expected())
        digest, size = file_digest(beside), beside.stat().st_size
    beside_it = target.with_suffix(".Modelfile")
    if (markup := source.template.markup) is None:
        beside_it.unlink(missing_ok=True)
    else:
        write_bytes(beside_it, modelfile(target.name, markup, trained_context(source.model)).encode())
    tried = round_trip(source.template)
    write_bytes(target.with_suffix(".md"), card(target, quant, source.model, tried).encode())
    record = GgufRecord(
        format=1,
        file=target.name,
        sha256=digest,
        bytes=size,
        quant=quant,
        check=check.as_dict() if check else None,
        history=tried.as_dict(),
        **origin(source),
    )
    return Exported(target, write_sealed(record_path(target), record), counted(tensors))


def card(target: Path, quant: str, model: Model, tried: RoundTrip) -> str:
    """What a file is, how it is served, and how a history reads that its servers hand back."""
    head = (
        f"# {target.stem}\n\n{model.name} as {quant}; `{record_path(target).name}` records how it was made.\n"
    )
    return f"{head}\n{gguf_serving(model.run, target.name)}\n{tried.as_card()}"


def trained_context(model: Model) -> int | None:
    """Tokens of a sequence in training; null where it is not recorded."""
    found = (model.run.get("settings") or {}).get("max_seq_length")
    return int(found) if found is not None else None


def origin(source: Source) -> dict[str, Any]:
    """What a record says of where a file comes from: with the same origin, the same bytes are written."""
    return {
        "model": source.model.name,
        "adapter_sha256": source.model.adapter_sha256,
        "evaluation_sha256": source.evaluation_sha256,
        "template_sha256": source.template.digest,
        "run": source.model.run,
        "versions": {"torch": str(torch.__version__), **versions(["gguf"])},
    }


def finished_before(
    source: Source, planned: Mapping[str, list[Planned]], targets: Mapping[str, Path]
) -> dict[str, Exported]:
    """The files that an earlier export of the same model finished, by quantisation."""
    found = {}
    for quant, path in targets.items():
        try:
            record = read_sealed(record_path(path), GgufRecord)
        except CurationError:
            continue
        ollama = source.template.markup is None or path.with_suffix(".Modelfile").is_file()
        whole = path.is_file() and ollama
        same = all(getattr(record, name) == value for name, value in origin(source).items())
        tried = record.check is not None or not has_llama()
        if whole and same and tried and file_digest(path) == record.sha256:
            found[quant] = Exported(path, record, counted(planned[quant]), reused=True)
    return found


def counted(tensors: Sequence[Planned]) -> dict[str, int]:
    """How many tensors have which type."""
    types = [tensor.type.name for tensor in tensors]
    return {name: types.count(name) for name in dict.fromkeys(types)}


def tensor_data(weights: Weights, planned: Planned) -> Any:
    """A tensor's bytes in the file."""
    return encode(weights.read(planned.source), planned.type)
