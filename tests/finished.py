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
