"""Whether a result says that its call failed: by keys, codes and words, not by what a text speaks of."""

import json
from collections import Counter
from pathlib import Path

import pytest

from curation.calls.failures.judge import failure
from curation.calls.failures.reads import command_reads, looks, reads

# Results as environments write them, made for this: `says` is how one says that it failed, null for none.
RESULTS = Path(__file__).parents[3] / "data" / "tool_results.jsonl"


def said_of(result: str, command: str | None = None, tool: str = "act") -> str | None:
    return failure(result, tool, "{}" if command is None else json.dumps({"command": command}))


def test_nearly_every_failure_of_common_environments_is_seen_and_nearly_nothing_else():
    seen, all_of = Counter[str | None](), Counter[str | None]()
    for line in RESULTS.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        all_of[one["says"]] += 1
        seen[one["says"]] += failure(one["result"], one["tool"], json.dumps(one["arguments"])) is not None
    assert len(all_of) == 11
    for how, count in all_of.items():
        if how is None:
            assert seen[how] <= 0.04 * count
        else:
            assert seen[how] >= 0.9 * count, how


@pytest.mark.parametrize(
    ("result", "how"),
    [
        ('{"error": "city not found"}', "key"),
        ('{"status": "failed", "reason": "declined"}', "status"),
        ("half done\n[The command completed with exit code 2.]", "exit_code"),
        ("ERROR 1146 (42S02): Table 'a.b' doesn't exist", "sql"),
        ("bash: foo: command not found", "shell"),
        ("Error: no seat left", "message"),
        ('3 rows\nTraceback (most recent call last):\n  File "a.py", line 1\nKeyError: 3', "traceback"),
    ],
)
def test_a_failure_is_told_with_how_the_result_says_so(result, how):
    assert said_of(result, "./run" if how == "shell" else None) == how


@pytest.mark.parametrize(
    "result",
    [
        "",
        "[]",
        "null",
        '{"results": [], "total": 0}',
        "No flights found.",
        '{"valid": false}',
        '{"error": null}',
    ],
)
def test_to_find_nothing_is_no_failure(result):
    assert said_of(result) is None


def test_a_log_that_was_asked_for_may_speak_of_errors():
    assert said_of("ERROR: disk full\nERROR: gave up", "cat app.log") is None
    assert said_of("ERROR: disk full", tool="read_file") is None
    assert said_of('{"error": "E0308", "explanation": "types differ"}', tool="explain_error") is None
    assert said_of("cat: app.log: No such file or directory", "cat app.log") == "shell"
    assert said_of("Error: file app.log does not exist", tool="read_file") == "message"


def test_an_exit_code_counts_before_any_words():
    assert said_of('{"exit_code": 0, "stderr": "error: ignored"}') is None
    assert said_of('{"exit_code": 3, "stdout": "fine"}') == "exit_code"


@pytest.mark.parametrize("command", ["grep foo a.txt", "diff a b", "pytest -q", "npm test"])
def test_a_program_that_answers_no_by_its_exit_code_has_not_failed(command):
    assert said_of("\n[The command completed with exit code 1.]", command) is None


def test_a_search_that_finds_much_and_meets_a_closed_folder_has_not_failed():
    found = "find: '/root': Permission denied\n" + "\n".join(f"/etc/{n}" for n in range(9))
    assert said_of(found, "find / -name x") is None


def test_a_state_that_was_asked_for_is_no_failure_of_the_call():
    assert said_of('{"order_id": 7, "status": "failed", "total": 12}', tool="get_order") is None


def test_commands_that_only_print_what_is_written_are_told_from_those_that_do():
    assert command_reads("cat a | grep b; tail -n 3 c")
    assert command_reads("git log --oneline")
    assert not command_reads("find . -name x -delete")
    assert not command_reads("sed -i s/a/b/ c")
    assert not command_reads("cat a && ./run.sh")


def test_a_tool_reads_by_its_name_and_looks_by_its_query():
    assert reads("getFileContent", {})
    assert reads("str_replace_editor", {"command": "view"})
    assert not reads("book_flight", {})
    assert looks("sql", {"query": " select 1"})
    assert not looks("sql", {"query": "delete from a"})
