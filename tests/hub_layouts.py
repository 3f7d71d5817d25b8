"""Made-up repositories in the exact layouts of the seven sources of recipes/mixed_v1.yaml."""

import io
import json
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hub_server import HubServer, Repo
from small_recipe import WORDS, sentence

TURN = pa.struct(
    [
        ("content", pa.string()),
        ("country", pa.string()),
        ("hashed_ip", pa.string()),
        ("header", pa.struct([("accept-language", pa.string()), ("user-agent", pa.string())])),
        ("language", pa.string()),
        ("redacted", pa.bool_()),
        ("role", pa.string()),
        ("state", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("toxic", pa.bool_()),
        ("turn_identifier", pa.int64()),
    ]
)
WILDCHAT = pa.schema(
    [
        ("conversation_hash", pa.string()),
        ("model", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("conversation", pa.list_(TURN)),
        ("turn", pa.int64()),
        ("language", pa.string()),
        (
            "openai_moderation",
            pa.list_(pa.struct([("categories", pa.struct([("hate", pa.bool_())])), ("flagged", pa.bool_())])),
        ),
        ("detoxify_moderation", pa.list_(pa.struct([("insult", pa.float64())]))),
        ("toxic", pa.bool_()),
        ("redacted", pa.bool_()),
        ("state", pa.string()),
        ("country", pa.string()),
        ("hashed_ip", pa.string()),
        ("header", pa.struct([("accept-language", pa.string()), ("user-agent", pa.string())])),
    ]
)


def parquet(rows: Sequence[dict[str, Any]], schema: pa.Schema | None = None, group: int = 100) -> bytes:
    """Rows as the bytes of a Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), out, row_group_size=group)
    return out.getvalue()


def wildchat_row(seed: int, words: int = 25) -> dict[str, Any]:
    """One conversation with everything around it; every fourth is Spanish, every fifth toxic."""
    random_ = random.Random(seed)
    language, toxic = ("Spanish" if seed % 4 == 3 else "English"), seed % 5 == 4
    around = {"language": language, "redacted": False, "toxic": toxic, "country": "Norway", "state": None}
    turns = [
        {"content": sentence(random_, words), "role": role, "turn_identifier": seed, **around}
        for role in ("user", "assistant")
    ]
    top = {"language": language, "toxic": toxic, "redacted": False, "turn": 1, "model": "gpt-4"}
    flags = [{"categories": {"hate": False}, "flagged": toxic}] * 2
    return {
        "conversation_hash": f"{seed:032x}",
        "conversation": turns,
        "openai_moderation": flags,
        "detoxify_moderation": [{"insult": 0.1}],
        **top,
    }


def wildchat(parts: int = 3, rows: int = 40) -> Repo:
    repo = Repo(card={"license": "odc-by", "configs": config(("train", "data/train-*"))})
    repo.commit(
        {
            **about("WildChat-1M"),
            **{
                f"data/train-{part:05}-of-{parts:05}.parquet": parquet(
                    [wildchat_row(part * rows + n) for n in range(rows)], WILDCHAT
                )
                for part in range(parts)
            },
        }
    )
    return repo


def ultrachat() -> Repo:
    splits = ("train_sft", "test_sft", "train_gen", "test_gen")
    repo = Repo(card={"license": "mit", "configs": config(*((s, f"data/{s}-*") for s in splits))})
    files = dict(about("ultrachat_200k"))
    for place, split in enumerate(splits):
        for part in range(3 if split.startswith("train") else 1):
            rows = [chat(10_000 * place + 100 * part + n) for n in range(20)]
            files[f"data/{split}-{part:05}-of-00003-a3ecf92756993583.parquet"] = parquet(rows)
    repo.commit(files)
    return repo


def chat(seed: int) -> dict[str, Any]:
    """A row of ultrachat_200k."""
    random_ = random.Random(seed)
    prompt = sentence(random_, 8)
    said = [prompt, sentence(random_, 30), sentence(random_, 7), sentence(random_, 28)]
    messages = [
        {"content": text, "role": role} for text, role in zip(said, ("user", "assistant") * 2, strict=True)
    ]
    return {"prompt": prompt, "prompt_id": f"{seed:064x}", "messages": messages}


def kisanvaani() -> Repo:
    repo = Repo(card={"license": "apache-2.0"})
    rows = [question(seed, "question", "answers") for seed in range(40)]
    repo.commit({**about("agriculture"), "data/train-00000-of-00001.parquet": parquet(rows)})
    return repo


def question(seed: int, *names: str) -> dict[str, Any]:
    random_ = random.Random(seed)
    return {name: sentence(random_, 12) for name in names}


def stackexchange() -> Repo:
    rows = []
    for seed in range(20):
        told = question(500 + seed, "instruction", "completion")
        said = [{"from": "human", "value": told["instruction"]}, {"from": "gpt", "value": told["completion"]}]
        rows.append({**told, "conversations": said})
    repo = Repo()
    repo.commit({**about("gardening"), "data/train-00000-of-00001.parquet": parquet(rows)})
    return repo


def gardening() -> Repo:
    rows = [question(900 + seed, "question", "answer") for seed in range(20)]
    repo = Repo(card={"configs": config(("train", "train.jsonl"))})
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    repo.commit({**about("gardening-qa"), "train.jsonl": lines.encode()})
    return repo


def skein() -> Repo:
    repo = Repo()
    files = dict(about("skein"))
    for place, name in enumerate(("cys-split.json", "floyd-split.json", "other-split.json")):
        texts = [{"text": playthrough(100 * place + n)} for n in range(6)]
        files[name] = json.dumps(texts).encode()
    repo.commit(files)
    return repo


def playthrough(seed: int, moves: int = 12) -> str:
    random_ = random.Random(seed)
    scenes = [f"{sentence(random_, 25)}.\n\n> {random_.choice(WORDS)}\n" for _ in range(moves)]
    return "\n".join([*scenes, "The end."])


def tokenizer_model(files: dict[str, bytes]) -> Repo:
    """A model repository with a tokenizer, and gigabytes' stand-in that nobody asked for."""
    repo = Repo(kind="model")
    weights = {"model-00001-of-00001.safetensors": b"\1" * 50_000, "config.json": b"{}"}
    repo.commit({**files, **weights, "README.md": b"# model\n"})
    return repo


def config(*splits: tuple[str, str]) -> list[dict[str, Any]]:
    """The `configs` of a dataset card with one subset."""
    files = [{"split": split, "path": path} for split, path in splits]
    return [{"config_name": "default", "data_files": files}]


def about(name: str) -> dict[str, bytes]:
    """What lies in every repository beside the data."""
    return {"README.md": f"# {name}\n".encode(), ".gitattributes": b"*.parquet filter=lfs\n"}


SEVEN = {
    "allenai/WildChat-1M": wildchat,
    "HuggingFaceH4/ultrachat_200k": ultrachat,
    "KisanVaani/agriculture-qa-english-only": kisanvaani,
    "mlfoundations-dev/stackexchange_gardening": stackexchange,
    "Offline100/gardening-qa": gardening,
    "ToastyPigeon/skein-text-adventures": skein,
}


def fill(hub: HubServer) -> None:
    """All of them."""
    hub.repos.update({name: make() for name, make in SEVEN.items()})
