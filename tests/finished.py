"""Finished datasets with their documents, for the tests of what people read."""

from pathlib import Path
from typing import Any

from curation.jobs.curate import curate
from reports.pages.documents import documents
from tests.small_recipe import conversation, small_recipe, write_jsonl

# Text that would do harm if any of it were taken for markup, a template or a direction.
HOSTILE = [
    "<script>document.title = 'owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "{{ 7 * 7 }} {% for x in y %} ${7*7}",
    "</style><style>body{display:none}</style></textarea></title>",
    "\u202egnp.exe\u202c \u2066hidden\u2069 \u200bzero\u200b",
    "javascript:alert(1) <a href='javascript:alert(1)'>x</a> <svg onload=alert(1)>",
    "<!-- --> ]]> <![CDATA[ &amp;lt; &#0; \x7f",
]
LONG_NAME = "<i>" + "parameter" * 40


def finished(folder: Path, **changes: Any) -> Path:
    """A dataset made from the small recipe; `changes` replace keys of it."""
    recipe = small_recipe(folder, **changes)
    dataset = folder / "dataset"
    curate(recipe, documents=documents, out=dataset, workers=1)
    return dataset


def hostile(folder: Path) -> Path:
    """A dataset whose rows, reasons, tools and calls hold hostile text, and words of a megabyte."""
    recipe = small_recipe(
        folder,
        gates=[{"metric": "eval.leaked_rows", "max": 0, "name": HOSTILE[0]}],
        # Nothing is taken out before it is shown.
        stages=["chat", "exact_duplicates", "conflicts", {"near_duplicates": {"similarity": 0.8}}],
    )
    rows = []
    for number, text in enumerate(HOSTILE * 8):
        row = conversation(5000 + number)
        row["messages"][0]["content"] = f"{text} {number}"
        row["messages"][1]["content"] += text
        rows.append(row)
    call = {"id": "c", "type": "function", "function": {"name": "<b>run</b>", "arguments": '{"x": "<i>"}'}}
    schema = {"name": "<b>run</b>", "parameters": {"type": "object", "properties": {}}}
    for number in range(8):
        messages = [
            {"role": "user", "content": f"call it {number} with mail to ada{number}@mail.example.net"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "</pre>", "tool_call_id": "c"},
            {
                "role": "assistant",
                "content": f"done {number} " + conversation(7000 + number)["messages"][1]["content"],
            },
        ]
        rows.append({"messages": messages, "tools": [{"type": "function", "function": schema}]})
        schema = {"name": "<b>run</b>", "parameters": {"type": "object", "properties": {LONG_NAME: {}}}}
    for text in HOSTILE:
        turns = [{"role": "user", "content": HOSTILE[0]}, {"role": "assistant", "content": f"{text} 12"}]
        rows.append({"messages": turns})
    long = conversation(9000)
    long["messages"][0]["content"] = "w" * 1_000_000
    write_jsonl(folder / "data/two.jsonl", [*rows, long, "<script>document.title = 'owned'</script>"])
    dataset = folder / "dataset"
    curate(recipe, documents=documents, out=dataset, workers=1)
    return dataset


def said(row: dict[str, Any], text: str) -> dict[str, Any]:
    """A row with another answer."""
    question, answer = row["messages"]
    return {"messages": [question, {**answer, "content": text}]}


def with_faults(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], set[int]]:
    """Rows of which some are spoilt, or repeated with another answer; and the places of those."""
    faults = {
        30: lambda text: "I'm sorry, but I cannot help with that request.",
        90: lambda text: f"{text}\n\nBest regards,\n[Your Name]",
        150: lambda text: f"{text[:40]} " * 25,
        210: lambda text: " ".join(conversation(n)["messages"][1]["content"] for n in range(60, 100)),
        270: lambda text: "elm",
        330: lambda text: f"{text}\nHuman: {text}",
    }
    spoilt = [
        said(row, faults[n](row["messages"][1]["content"])) if n in faults else row
        for n, row in enumerate(rows)
    ]
    other = said(rows[5], conversation(9999)["messages"][1]["content"])
    return [*spoilt, other], {*faults, 5, len(rows)}


def planted_faults(folder: Path) -> tuple[Path, set[int]]:
    """A dataset of one source with planted faults, and the places of its rows that have one."""
    rows, faults = with_faults([conversation(2000 + n) for n in range(400)])
    write_jsonl(folder / "more/three.jsonl", rows)
    dataset = finished(
        folder,
        sources={"three": {"uri": "more/three.jsonl", "reader": "messages", "group": "first"}},
        mixture={"shares": {"first": 1.0}, "total": "max", "max_repeat": 1},
        stages=["normalise", "chat", "answers", "exact_duplicates", "conflicts", "near_duplicates"],
    )
    return dataset, faults
