"""A whole run over logs of an agent: what the recipe says of failures, from the file to the ledger."""

import orjson
import polars as pl
import pytest
from small_recipe import no_documents, write_jsonl

from curation.jobs.curate import curate

RECIPE = """\
name: runs
version: 1.0.0
seed: 3
base_model: {id: x/y, code: XY}
sources:
  runs: {uri: runs.jsonl, reader: messages, group: agent, failed: {resolved: false}}
mixture: {shares: {agent: 1.0}, total: max, max_repeat: 1}
split: {eval: 0.0}
stages:
  - chat
  - tools: {schema: any, invalid: mask}
  - trajectories: {error_result: mask, repeated_call: mask, failed_run: drop}
gates: [{metric: trajectories.error_share, max: 0.5, severity: warn}]
"""


def log(task: str, *steps: tuple[str, str], resolved: bool = True) -> dict:
    messages: list[dict] = [{"role": "user", "content": task}]
    for place, (arguments, said) in enumerate(steps):
        call = {"id": f"{place}", "function": {"name": "look", "arguments": arguments}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"{place}", "content": said})
    tools = [{"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}]
    answer = {"role": "assistant", "content": f"{task}: done."}
    return {"messages": [*messages, answer], "tools": tools, "resolved": resolved}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_jsonl(
        folder / "runs.jsonl",
        [
            log("fine", ('{"at": "a"}', "a door")),
            log("recovered", ('{"at": "b"}', "Error: no such room"), ('{"at": "a"}', "a door")),
            log("looping", ('{"at": "a"}', "a door"), ('{"at": "a"}', "a door")),
            log("unfit", ('{"at": 3}', "what?"), ('{"at": "a"}', "a door")),
            log("lost", ('{"at": "a"}', "a door"), resolved=False),
        ],
    )
    (folder / "r.yaml").write_text(RECIPE, encoding="utf-8")
    return curate(folder / "r.yaml", documents=no_documents, out=folder / "out", workers=1)


def test_every_run_has_its_fate_and_says_which_turns_carry_no_loss(made):
    ledger = pl.read_parquet(made.dataset / "ledger/*.parquet").sort("row")
    told = [
        (fate, reason, orjson.loads(detail or "{}").get("masked"))
        for fate, reason, detail in ledger.select("fate", "reason", "detail").iter_rows()
    ]
    assert told == [
        ("train", None, None),
        ("train", None, [[1, "error_result"]]),
        ("train", None, [[3, "repeated_call"]]),
        ("train", None, [[1, "invalid_call"]]),
        ("dropped", "failed_run", None),
    ]


def test_the_shares_of_failures_are_measured(made):
    measured = orjson.loads((made.dataset / "gates.json").read_bytes())["metrics"]
    shares = {name: value for name, value in measured.items() if name.startswith("trajectories.")}
    assert shares == {
        "trajectories.error_share": 0.2,
        "trajectories.repeated_share": 0.2,
        "trajectories.gave_up_share": 0.0,
    }
