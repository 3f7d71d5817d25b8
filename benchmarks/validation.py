"""Schema checks of tool calls beside the usual libraries, on 100,000 messages made here.

    python -m benchmarks.validation [--messages N] [--json] [--record]

Every contender answers the same question about the same messages: are the arguments, a JSON text,
valid for the tool that is called? The libraries and our check of a call get the arguments one by
one: JSON decoding plus the check. Our whole stage also reads the conversations from a frame, pairs
results with calls and splits the frame, with and without parsing bash commands. CPU time is that
of the process, the best of the rounds, which are interleaved; all must agree on every message.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fastjsonschema
import jsonschema
import orjson
import polars as pl

import schemas
from benchmarks.results import can_record, machine, write_section
from curation import row
from curation.calls.checks import is_call_plainly_right
from curation.calls.result_pairs import RowCall
from curation.calls.tool_schemas import compile_tools
from curation.stages.tools import tools

DEFINITIONS = Path(schemas.__file__).with_name("aj_tools.json").read_text()
ROUNDS = 3
# jsonschema is two orders slower: it gets a share of the messages, its rate is per message anyway.
SLOW_SHARE = 20

Call = tuple[str, str]


class Result(NamedTuple):
    """What a contender made of it: rows per CPU-second, and which messages it found valid."""

    name: str
    rows_per_cpu_s: float
    valid: Sequence[bool]


def make_calls(count: int, *, seed: int = 17) -> list[Call]:
    """(tool, arguments) of messages as agents write them; about 3 % violate the tool's schema."""
    random_ = random.Random(seed)
    makers: list[Callable[[int], tuple[str, dict[str, Any]]]] = [
        lambda n: ("bash", {"command": f"docker logs --tail {n} web-{n % 9} 2>&1 | grep -ci error"}),
        lambda n: ("bash", {"command": f"git log -n {n} --format='%h %s' -- src/", "timeout_s": 30}),
        lambda n: ("bash", {"command": f'for f in /var/log/app-{n}/*.log; do gzip -9 "$f"; done'}),
        lambda n: ("remote_bash", {"agent_id": f"win-{n % 40}", "command": f"Get-Process -Id {n}"}),
        lambda n: ("remote_bash_all", {"command": f"df -h /srv/{n}", "agents": "web-*"}),
        lambda n: ("think", {"thought": f"Step {n}: compare the größten logs first, then the rest."}),
        lambda n: ("complete", {"summary": f"{n} files checked, none broken.", "success": n % 2 == 0}),
        lambda n: ("list_agents", {}),
        lambda n: ("bash", {"command": f"ls /srv/{n}", "cwd": "/"}) if n % 4 == 0 else ("list_agents", {}),
    ]
    made = (random_.choice(makers)(random_.randrange(10_000)) for _ in range(count))
    return [(name, orjson.dumps(arguments).decode()) for name, arguments in made]


def make_frame(calls: Sequence[Call]) -> pl.DataFrame:
    """One conversation a call: question, call, result, answer."""
    return row.frame(
        [
            [
                {"role": "user", "content": "Please look into it."},
                {"role": "assistant", "tool_calls": [{"id": "call_0", "name": name, "arguments": text}]},
                {"role": "tool", "content": "ok", "tool_call_id": "call_0"},
                {"role": "assistant", "content": "Done."},
            ]
            for name, text in calls
        ]
    )


def by_stage(frame: pl.DataFrame, *, bash: bool) -> list[bool]:
    """Our verdicts: the position of a row is its message's."""
    kept = tools(frame, schema=DEFINITIONS, repair=False, bash_syntax="flag" if bash else "ignore").kept
    valid = set(kept["pos"])
    return [position in valid for position in range(frame.height)]


def _parameters() -> dict[str, Any]:
    return {d["function"]["name"]: d["function"]["parameters"] for d in json.loads(DEFINITIONS)}


def jsonschema_check() -> Callable[[Call], bool]:
    """The reference implementation, validators built once."""
    checks = {
        name: jsonschema.Draft202012Validator(schema).is_valid for name, schema in _parameters().items()
    }
    return lambda call: bool(checks[call[0]](json.loads(call[1])))


def fastjsonschema_check() -> Callable[[Call], bool]:
    """Python code generated from the schemas, and orjson to decode."""
    checks = {name: fastjsonschema.compile(schema) for name, schema in _parameters().items()}

    def check(call: Call) -> bool:
        try:
            checks[call[0]](orjson.loads(call[1]))
        except fastjsonschema.JsonSchemaException:
            return False
        return True

    return check


def our_check() -> Callable[[Call], bool]:
    """The check of one call inside the stage, bounds on hostile schemas included."""
    offered = compile_tools(DEFINITIONS, repair=False)
    return lambda call: is_call_plainly_right(RowCall(call[0], call[1]), offered, "ignore")


def measure(count: int, rounds: int = ROUNDS) -> list[Result]:
    """All contenders, interleaved; the best round of each."""
    calls = make_calls(count)
    frame = make_frame(calls)
    few = calls[: max(1, count // SLOW_SHARE)]
    own, reference, generated = our_check(), jsonschema_check(), fastjsonschema_check()
    contenders: list[tuple[str, int, Callable[[], list[bool]]]] = [
        ("ours: the check of a call", count, lambda: [own(call) for call in calls]),
        ("ours: the whole stage", count, lambda: by_stage(frame, bash=False)),
        ("ours: the whole stage with bash syntax", count, lambda: by_stage(frame, bash=True)),
        ("jsonschema", len(few), lambda: [reference(call) for call in few]),
        ("fastjsonschema + orjson", count, lambda: [generated(call) for call in calls]),
    ]
    best: dict[str, Result] = {}
    for _ in range(rounds):
        for name, rows, run in contenders:
            start = time.process_time()
            valid = run()
            rate = rows / max(time.process_time() - start, 1e-9)
            if name not in best or rate > best[name].rows_per_cpu_s:
                best[name] = Result(name, rate, valid)
    return list(best.values())


def disagreements(results: Sequence[Result]) -> int:
    """How many messages two contenders judge differently."""
    longest = max((result.valid for result in results), key=len)
    return sum(a != b for result in results for a, b in zip(result.valid, longest, strict=False))


def table(results: Sequence[Result], count: int) -> str:
    """The results as Markdown."""
    lines = [
        f"| {count:,} tool-call messages | rows per CPU-second | seconds for all |",
        "|---|---:|---:|",
        *(f"| {r.name} | {r.rows_per_cpu_s:,.0f} | {count / r.rows_per_cpu_s:.2f} |" for r in results),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, record if asked."""
    parser = argparse.ArgumentParser(description="Schema checks of tool calls beside the usual libraries.")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    can_record(parser)
    options = parser.parse_args(arguments)
    results = measure(options.messages)
    differing = disagreements(results)
    versions = machine("jsonschema", "fastjsonschema", "jsonschema-rs", "orjson", "polars")
    print(table(results, options.messages))
    print(f"\n{differing} disagreements; {versions}")
    if options.record:
        command = f"python -m benchmarks.validation --messages {options.messages}"
        head = f"## Schema checks of tool calls\n\n`{command}`, {versions}.\n\n"
        tail = f"\n\nMessages on which two of them disagree: {differing}."
        write_section("validation", head + table(results, options.messages) + tail)
    if options.json:
        rates = {result.name: round(result.rows_per_cpu_s) for result in results}
        figures = {"messages": options.messages, "rows_per_cpu_s": rates, "disagreements": differing}
        print(json.dumps({**figures, "machine": versions}))


if __name__ == "__main__":
    main()
