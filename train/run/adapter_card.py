"""README.md of an adapter: what it is, what it was trained on, who approved that."""

from collections.abc import Mapping
from typing import Any

import yaml

from curation.dataset.thinking import Thoughts, all_of, share_text
from train.run.serving import adapter_serving


def model_card(record: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The model card of a run record, with the front matter that model hubs read.

    config: of the adapter's adapter_config.json.
    """
    front = {
        "base_model": record["base"]["id"],
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "tool-calling"],
    }
    head = f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n# {record['model']}\n"
    sections = [head, intro(record), data(record), sources(record), mixture(record), settings(record)]
    return "\n".join([*sections, how(record), adapter_serving(record, config)])


def intro(record: Mapping[str, Any]) -> str:
    """What this is."""
    trial = "\n**A trial: not for use. It cannot be exported.**\n" if record["trial"] else ""
    base = record["base"]
    revision = base["commit"] or base["revision"]
    at = f" at revision `{revision}`" if revision else ""
    return (
        f"{trial}\nA LoRA adapter on [{base['id']}](https://huggingface.co/{base['id']}){at}, trained for "
        f"{record['steps']:,} steps on {record['tokens']:,} tokens.\n"
        f"The chat template is `chat_template.jinja` (`{record['template']['name']}`).\n"
    )


def data(record: Mapping[str, Any]) -> str:
    """Which dataset, and who approved it."""
    frozen = record["frozen"]
    lines = [
        "## Data\n",
        f"- dataset: {frozen['name']} {frozen['version']}",
        f"- root: `{frozen['root']}`",
        f"- recipe digest: `{frozen['recipe_sha256']}`",
        f"- frozen recipe digest: `{frozen['self_sha256']}`",
    ]
    for approval in record["approvals"]:
        signed = ", signed" if approval["signed"] else ""
        note = f": {approval['note']}" if approval["note"] else ""
        lines.append(f"- approved by {approval['by']} at {approval['at']} ({approval['mode']}{signed}){note}")
    return "\n".join(lines) + "\n"


def sources(record: Mapping[str, Any]) -> str:
    """What each source brought."""
    rows = [
        "| source | group | licence | rows | tokens | trained | exposure |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for name, source in record["sources"].items():
        rows.append(
            f"| {name} | {source['group']} | {source['licence'] or 'not stated'} | {source['rows']:,} | "
            f"{source['tokens']:,} | {source['trained_share']:.1%} | {source['exposure']:.2f} |"
        )
    note = "\n*Trained* is the share of tokens that the loss falls on; *exposure* is repeats times epochs.\n"
    if masked := sum(source.get("turns_without_loss", 0) for source in record["sources"].values()):
        note += f"{masked:,} turns of the assistant's carry no loss: their makers or a stage masked them.\n"
    if thoughts := {group: Thoughts(**one) for group, one in record.get("thoughts", {}).items()}:
        behind = record["settings"].get("thinking", "as_is") != "as_is"
        how = "behind an empty thought without loss" if behind else "as they stand"
        note += f"{share_text(all_of(thoughts))}; turns without a thought were trained {how}.\n"
    return "\n".join(rows) + "\n" + note


def mixture(record: Mapping[str, Any]) -> str:
    """The shares that the recipe asks for and what they came to in tokens."""
    total = sum(source["tokens"] for source in record["sources"].values()) or 1
    rows = ["| group | share asked | share of tokens |", "|---|---:|---:|"]
    for group, share in record["mixture"].items():
        tokens = sum(source["tokens"] for source in record["sources"].values() if source["group"] == group)
        rows.append(f"| {group} | {share:.1%} | {tokens / total:.1%} |")
    return "\n".join(rows) + "\n"


def settings(record: Mapping[str, Any]) -> str:
    """How it was trained."""
    rows = ["## Training\n", "| setting | value |", "|---|---|"]
    rows += [f"| {key} | {setting_text(value)} |" for key, value in record["settings"].items()]
    return "\n".join(rows) + "\n"


def setting_text(value: Any) -> str:
    """A setting in a table."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def how(record: Mapping[str, Any]) -> str:
    """On what, how full, how it went."""
    losses = record["losses"]
    rows = ["| measured | value |", "|---|---|"]
    rows += [f"| {key} | {value} |" for key, value in record["loaded"].items()]
    rows += [f"| {key} | {value} |" for key, value in losses.items() if value is not None]
    rows += [f"| packing fill | {record['packing']['fill']:.2%} |"]
    rows += [f"| {name} | {version} |" for name, version in record["versions"].items()]
    for event in record["events"]:
        rows.append(f"| step {event['step']} | {event['message']} |")
    return "\n".join(rows) + "\n"
