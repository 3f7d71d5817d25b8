"""A small recipe over made-up files, for tests of whole runs."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

WORDS = [
    "alder",
    "ash",
    "beech",
    "birch",
    "box",
    "cedar",
    "cherry",
    "elder",
    "elm",
    "fir",
    "hawthorn",
    "hazel",
    "holly",
    "hornbeam",
    "larch",
    "lime",
    "maple",
    "oak",
    "pine",
    "plane",
    "poplar",
    "rowan",
    "spruce",
    "sycamore",
    "walnut",
    "willow",
    "yew",
]


def sentence(random_: random.Random, words: int) -> str:
    return " ".join(random_.choices(WORDS, k=words))


def conversation(seed: int, *, turns: int = 1, words: int = 30) -> dict[str, Any]:
    """A conversation that depends on its seed alone."""
    random_ = random.Random(seed)
    messages = []
    for _ in range(turns):
        messages.append({"role": "user", "content": sentence(random_, 9)})
        messages.append({"role": "assistant", "content": sentence(random_, words)})
    return {"messages": messages}


def write_jsonl(path: Path, rows: list[Any]) -> None:
    """Rows as JSON lines; a string is written as it stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def small_recipe(folder: Path, **changes: Any) -> Path:
    """Three files in two groups with duplicates, near duplicates and broken lines, and a recipe.

    `changes` replace keys of the recipe. Returns the recipe's path.
    """
    one = [conversation(n) for n in range(120)]
    near = json.loads(json.dumps(one[7]))
    near["messages"][1]["content"] += " oak"
    write_jsonl(folder / "data/one-a.jsonl", [*one[:80], "{broken", one[3], near])
    write_jsonl(folder / "data/one-b.jsonl", [*one[80:], one[5], {"messages": "none"}])
    write_jsonl(folder / "data/two.jsonl", [conversation(1000 + n, words=45) for n in range(60)])
    recipe: Mapping[str, Any] = {
        "name": "small",
        "version": "1.0.0",
        "seed": 17,
        "base_model": {"id": "org/model", "code": "Model"},
        "sources": {
            "one": {"uri": "data/one-*.jsonl", "reader": "messages", "group": "first"},
            "two": {"uri": "data/two.jsonl", "reader": "messages", "group": "second"},
        },
        "mixture": {"shares": {"first": 0.6, "second": 0.4}, "total": "max", "max_repeat": 1},
        "split": {"eval": 0.1},
        "stages": ["normalise", "chat", "exact_duplicates", {"near_duplicates": {"similarity": 0.8}}],
        "gates": [{"metric": "eval.leaked_rows", "max": 0}],
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(dict(recipe), sort_keys=False), encoding="utf-8")
    return path


def no_documents(dataset: Path, manifest: Any, gates: Any) -> dict[str, bytes]:
    """Stands in for the report, which has tests of its own."""
    return {"report.html": b"<p>report</p>\n", "README.md": b"card\n", "croissant.json": b"{}\n"}
