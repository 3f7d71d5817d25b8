"""README.md: the dataset card, with the YAML header that the hub reads."""

import re
from typing import Any

import yaml

from curation.dataset.gates import GatesFile
from curation.dataset.manifest import Manifest
from curation.visible import count, percent, visible

# Licence names as the hub spells them (https://huggingface.co/docs/hub/repositories-licenses).
LICENCES = {
    "apache-2.0": "apache-2.0", "mit": "mit", "cc0-1.0": "cc0-1.0", "public domain": "cc0-1.0",
    "cc-by-4.0": "cc-by-4.0",
    "cc-by-sa-4.0": "cc-by-sa-4.0", "cc-by-nc-4.0": "cc-by-nc-4.0", "cc-by-nc-sa-4.0": "cc-by-nc-sa-4.0",
    "cc-by-sa-3.0": "cc-by-sa-3.0", "cc-by-3.0": "cc-by-3.0", "odc-by": "odc-by", "odc-by-1.0": "odc-by",
    "bsd-3-clause": "bsd-3-clause", "gpl-3.0": "gpl-3.0", "agpl-3.0": "agpl-3.0", "openrail": "openrail",
    "bigscience-openrail-m": "bigscience-openrail-m", "unlicense": "unlicense", "lgpl-3.0": "lgpl-3.0",
}  # fmt: skip
# Upper bounds of the hub's size categories.
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MARKDOWN = re.compile(r"([\\`*_\[\]|<>~&$])")


def card(manifest: Manifest, gates: GatesFile, languages: list[str]) -> bytes:
    """The card of a dataset. languages: ISO 639-1 codes for the header."""
    front = yaml.safe_dump(header(manifest, languages), sort_keys=False, allow_unicode=True, width=110)
    return f"---\n{front}---\n\n{body(manifest, gates)}".encode()


def header(manifest: Manifest, languages: list[str]) -> dict[str, Any]:
    """What the hub shows and how `load_dataset` finds the files."""
    splits = [s for s in ("train", "eval") if getattr(manifest.written, s)]
    found: dict[str, Any] = {"pretty_name": f"{manifest.recipe.name} {manifest.recipe.version}"}
    found |= {"language": languages} if languages else {}
    found |= licence(manifest)
    found |= {
        "task_categories": ["text-generation"],
        "size_categories": [size_category(manifest.written.train + manifest.written.eval)],
        "tags": ["conversational", "tool-use"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"{split}/*.parquet"} for split in splits],
            }
        ],
    }
    return found


def licence(manifest: Manifest) -> dict[str, Any]:
    """The licences of the sources that gave rows: the hub's names, or `other` where one is none of them."""
    stated = {s.licence for s in manifest.sources.values() if s.train + s.eval}
    names = sorted({LICENCES.get((name or "").lower().strip(), "other") for name in stated})
    if "other" not in names:
        return {"license": names[0] if len(names) == 1 else names}
    licences = sorted(visible(name or "not stated") for name in stated)
    return {"license": "other", "license_name": "by-source", "license_details": " | ".join(licences)}


def size_category(rows: int) -> str:
    """The hub's size category."""
    return next(
        (name for most, name in SIZES if rows < most), "1M<n<10M" if rows < 10_000_000 else "10M<n<100M"
    )


def body(manifest: Manifest, gates: GatesFile) -> str:
    """The card below its header."""
    passed = sum(gate.passed for gate in gates.gates)
    waived = f", {len(gates.waived)} waived" if gates.waived else ""
    rows = manifest.rows
    return f"""# {plain(manifest.recipe.name)} {plain(manifest.recipe.version)}

Conversations for supervised fine-tuning, curated from {len(manifest.sources)} sources.
{count(rows.read)} rows were read; {count(rows.dropped)} were dropped, each with a reason, and
{count(rows.unselected)} left out by the mixture. `report.html` shows the
whole account, `ledger/` the fate of every row read.

| split | rows |
|---|---:|
| train | {count(manifest.written.train)} |
| eval | {count(manifest.written.eval)} |

{passed} of {len(gates.gates)} gates pass{waived}. Root `{manifest.root}`.

## Mixture

{table(("group", "asked", "got", "different rows", "most copies"), mixture_rows(manifest))}

## Sources

{table(("source", "group", "read", "train", "eval", "licence", "from"), source_rows(manifest))}

Each source keeps its own licence; whoever passes the data on must keep to all of them.

## Columns

| column | what |
|---|---|
| `id` | sha256 of messages and tools |
| `source`, `group` | where the row comes from, and its group of the mixture |
| `messages` | `role`, `content`, `name`, `tool_calls` (`id`, `name`, `arguments`), `tool_call_id`, `weight` |
| `tools` | JSON array of the functions offered, or null |
| `repeat` | 1 for the first copy, 2 and up for repeats that the mixture made |
| `tokens` | length under the recipe's template and tokenizer, or null |

`weight` is 0 on a turn of the assistant's that is not to be trained on, else null.

```python
from datasets import load_dataset

data = load_dataset("parquet", data_files={{"train": "train/*.parquet", "eval": "eval/*.parquet"}})
```

Pushing this folder to a hub is one command: `hf upload NAME . --repo-type dataset`.
"""


def mixture_rows(manifest: Manifest) -> list[tuple[str, ...]]:
    """The groups of the mixture."""
    groups = manifest.mixture.groups
    total = sum(group.got for group in groups.values())
    return [
        (plain(name), percent(g.asked), percent(g.got, total), count(g.unique), count(g.max_repeat))
        for name, g in groups.items()
    ]


def source_rows(manifest: Manifest) -> list[tuple[str, ...]]:
    """The sources."""
    return [
        (
            plain(name),
            plain(s.group),
            count(s.read),
            count(s.train),
            count(s.eval),
            plain(s.licence or "not stated"),
            plain(s.uri + (f" at {s.revision}" if s.revision else "")),
        )
        for name, s in manifest.sources.items()
    ]


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; cells are escaped already."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def plain(text: str) -> str:
    """Text that Markdown shows as it stands, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(visible(text).split()))
