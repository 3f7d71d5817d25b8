"""The tokenizer and the stops of a folder that leaves this machine: clients read them as training did.

A base model's tokenizer_config.json may name a class that makes a tokenizer of its own from the same files:
transformers 5 reads the LlamaTokenizerFast of DeepSeek-R1-Distill without spaces where no config.json lies
beside it. So a folder of ours names the class that takes tokenizer.json as it stands, in transformers 4 and
5, and the template's end token; no beginning is added to a text, since templates write it.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from tokenizers import Tokenizer

from curation.errors import CurationError, Refusal
from curation.files import pretty
from curation.rendering.template import PROBE, PROBE_TOOLS, Template
from curation.rendering.template_parts import RenderError
from curation.rendering.tokens import PROBES
from train.data.encoding import Encoder
from train.model.adapter import read_json

TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
CHAT_TEMPLATE, GENERATION = "chat_template.jinja", "generation_config.json"
# What of tokenizer_config.json a tokenizer that takes tokenizer.json as it stands still asks for.
KEPT = ("bos_token", "pad_token", "unk_token", "model_max_length", "padding_side", "truncation_side")
CLASS = "PreTrainedTokenizerFast"


def write_tokenizer(source: Path, folder: Path, template: Template) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja, from the tokenizer in `source`.

    CurationError when there is none to be read.
    """
    (folder / TOKENIZER).write_bytes(without_beginning(source / TOKENIZER))
    given = read_json(source / TOKENIZER_CONFIG) if (source / TOKENIZER_CONFIG).is_file() else {}
    config = {key: given[key] for key in KEPT if given.get(key) is not None}
    config |= {
        "eos_token": template.end,
        "tokenizer_class": CLASS,
        "clean_up_tokenization_spaces": False,
    }
    config.setdefault("pad_token", given.get("eos_token") or template.end)
    (folder / TOKENIZER_CONFIG).write_bytes(pretty(dict(sorted(config.items()))))
    (folder / CHAT_TEMPLATE).write_text(template.source, encoding="utf-8")


def without_beginning(path: Path) -> bytes:
    """A tokenizer.json that adds no token to a text; as it stands where it adds none."""
    try:
        content = path.read_bytes()
        tokenizer = Tokenizer.from_buffer(content)
    except OSError as error:
        raise CurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        raise CurationError(f"{path}: not a tokenizer that `tokenizers` reads: {error}") from error
    if not tokenizer.num_special_tokens_to_add(is_pair=False):
        return content
    document = orjson.loads(content)
    steps = document["post_processor"].get("processors", [])
    kept = [step for step in steps if step["type"] == "ByteLevel"]
    document["post_processor"] = kept[0] if kept else None
    return orjson.dumps(document)


def stop_ids(end_id: int, *configs: Mapping[str, Any]) -> list[int]:
    """The end of a turn, then what the base model's config and generation_config stop at."""
    found = [end_id]
    for config in configs:
        own = config.get("eos_token_id")
        found += own if isinstance(own, list) else [own] if own is not None else []
    return list(dict.fromkeys(found))


def write_generation(base: Path, folder: Path, end_id: int) -> list[int]:
    """Write generation_config.json: the base model's with our stops, which are returned."""
    config = read_json(base / "config.json")
    given = read_json(base / GENERATION) if (base / GENERATION).is_file() else {}
    stops = stop_ids(end_id, config, given)
    kept = {key: config[key] for key in ("bos_token_id", "pad_token_id") if config.get(key) is not None}
    (folder / GENERATION).write_bytes(pretty(kept | given | {"eos_token_id": stops}))
    return stops


def check_before(source: Path, encoder: Encoder) -> None:
    """`check_tokenizer` on what would be written from the tokenizer in `source`."""
    with TemporaryDirectory(prefix="aj-tokenizer-") as folder:
        write_tokenizer(source, Path(folder), encoder.template)
        check_tokenizer(Path(folder), encoder)


def check_tokenizer(folder: Path, encoder: Encoder) -> None:
    """Refusal unless transformers reads the tokenizer in a folder as training did.

    Compared are the ids and the text of spaces, code, many scripts, every added token, and a conversation
    by its chat template.
    """
    import transformers

    how = f"transformers {transformers.__version__} reads this tokenizer otherwise than training did"
    with quiet():
        try:
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
        except Exception as error:
            raise Refusal(f"{folder}: transformers cannot read this tokenizer: {error}") from error
        for text, ids in expected(encoder):
            found = tokenizer(text)["input_ids"]
            if found != ids:
                raise Refusal(f"{folder}: {how}: {difference(found, ids)} in {text[:60]!r}")
            decoded = tokenizer.decode(ids, skip_special_tokens=False)
            if decoded != encoder.whole.decode(ids, skip_special_tokens=False):
                raise Refusal(f"{folder}: {how}: the text of its ids is {decoded[:60]!r}, not {text[:60]!r}")
    if tokenizer.convert_tokens_to_ids(tokenizer.eos_token) != encoder.end_id:
        raise Refusal(f"{folder}: its end token is {tokenizer.eos_token!r}, not {encoder.template.end!r}")


def expected(encoder: Encoder) -> Iterator[tuple[str, list[int]]]:
    """Texts and the ids that training has for them."""
    texts = [*PROBES, *(f"a {token}b\n{token} " for token in encoder.added)]
    try:
        texts.append(encoder.template.render(PROBE, PROBE_TOOLS, add_generation_prompt=True))
    except RenderError:
        texts.append(encoder.template.render([PROBE[1], PROBE[-1]], None))
    for text in texts:
        yield text, encoder.whole.encode(text, add_special_tokens=False).ids


def difference(found: list[int], right: list[int]) -> str:
    """Where two lists of ids part."""
    at = next((n for n, (a, b) in enumerate(zip(found, right, strict=False)) if a != b), None)
    at = min(len(found), len(right)) if at is None else at
    return f"ids {found[at : at + 4]} against {right[at : at + 4]} from the {at + 1}. on"


@contextmanager
def quiet() -> Iterator[None]:
    """transformers warns of tokenizers by their size and their model's type."""
    log = logging.getLogger("transformers")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
