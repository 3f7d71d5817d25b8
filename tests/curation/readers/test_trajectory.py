import json

import msgspec
import pytest
from shapes import HELLO, calls, read, said

from curation.errors import SourceError
from curation.jobs.first.guess import guess
from curation.readers.conversion import converter
from curation.readers.where import outcomes
from curation.recipe.source import Source
from curation.turns.shape import ForeignAction, Unfit


def test_a_trajectory_of_typed_steps():
    record = {
        "task": "Fix it",
        "context": {"error_message": "boom", "files": [{"path": "a.py", "content": "x"}]},
        "trajectory": [
            {"step_type": "thought", "content": "look"},
            {"step_type": "action", "tool": "read", "tool_input": {"n": 1}},
            {"step_type": "observation", "content": "x"},
            {"step_type": "final_answer", "content": "done"},
        ],
    }
    row = read("trajectory", record)
    assert said(row) == [
        ("user", "Fix it\n\nerror message: boom\n\na.py:\n```\nx\n```"),
        ("assistant", "look"),
        ("tool", "x"),
        ("assistant", "done"),
    ]
    assert calls(row) == [("call_1", "read", '{"n": 1}')]
    assert row.messages[2]["tool_call_id"] == "call_1"
    assert row.tools is None


INTERCODE = {"query": "count", "turn_history": {"actions": ["ls\n", "wc"], "observations": ["a", 3]}}


def done(*actions, **keys):
    """The record of a run whose every action is answered by `ok`."""
    return {"query": "q", "turn_history": {"actions": actions, "observations": ["ok"] * len(actions)}, **keys}


def test_a_trajectory_in_columns_as_calls_of_bash():
    row = read("trajectory", INTERCODE, action="bash")
    assert calls(row) == [("call_0", "bash", '{"command":"ls"}'), ("call_2", "bash", '{"command":"wc"}')]
    assert said(row)[-1] == ("assistant", None)
    assert row.notes == [{"stage": "read", "repair": "last_observation", "characters": 1}]
    assert row.tools is None


def test_a_last_observation_that_says_error_is_noted_with_how_it_says_so():
    seen = ["a", "bash: foo: command not found"]
    record = {"query": "q", "turn_history": {"actions": ["ls", "foo"], "observations": seen}}
    row = read("trajectory", record, action="bash")
    assert row.notes == [{"stage": "read", "repair": "last_observation", "characters": 28, "failed": "shell"}]


def test_what_the_environment_says_of_a_closing_word_is_no_word_on_the_call_before_it():
    record = {
        "query": "q",
        "turn_history": {"actions": ["foo", "submit"], "observations": ["ok", "Error: no"]},
    }
    row = read("trajectory", record, action="bash")
    assert not any("failed" in note for note in row.notes)


def test_a_trajectory_as_text():
    expected = [("user", "count"), ("assistant", "ls\n"), ("user", "a"), ("assistant", "wc")]
    assert said(read("trajectory", INTERCODE, action="text")) == expected


def test_a_trajectory_opens_with_what_its_history_told():
    record = {
        "history": [{"role": "system", "content": "s"}, *HELLO],
        "trajectory": [{"action": "ls", "observation": "a", "thought": "look\n", "response": "…"}],
    }
    assert said(read("trajectory", record, action="bash")) == [
        ("system", "s"),
        ("user", "hi"),
        ("assistant", "look"),
    ]


@pytest.mark.parametrize(("settings", "keys"), [({"action": "sql"}, {}), ({}, {"environment": "ic_sql"})])
def test_a_statement_is_a_call_of_what_runs_it_with_its_schema(settings, keys):
    row = read("trajectory", done("SELECT 1", **keys), **settings)
    assert calls(row) == [("call_0", "sql", '{"query":"SELECT 1"}')]
    assert [tool["function"]["name"] for tool in json.loads(row.tools)] == ["sql"]


def test_tools_of_the_record_stay_its_own():
    row = read("trajectory", done("SELECT 1", tools=[{"name": "query"}]), action="sql")
    assert json.loads(row.tools) == [{"name": "query"}]


def test_words_that_end_the_episode_are_what_the_agent_says_or_nothing():
    row = read("trajectory", done("execute[ls]", "submit"), action="bash")
    assert calls(row) == [("call_0", "bash", '{"command":"ls"}')]
    assert said(row)[-1] == ("assistant", None)
    assert {"stage": "read", "repair": "closing_word", "word": "submit"} in row.notes
    row = read("trajectory", done("ls", "finish[two files]"), action="bash")
    assert said(row)[-2:] == [("tool", "ok"), ("assistant", "two files")]


def test_words_on_the_way_are_calls_of_the_environments_tools():
    row = read("trajectory", done("submit flag{a}", "search[red shoes]", "ls"), action="bash")
    assert calls(row) == [
        ("call_0", "submit", '{"input":"flag{a}"}'),
        ("call_2", "search", '{"input":"red shoes"}'),
        ("call_4", "bash", '{"command":"ls"}'),
    ]
    assert {tool["function"]["name"] for tool in json.loads(row.tools)} == {"bash", "search", "submit"}


def test_thinking_aloud_is_a_thought_and_what_the_environment_says_to_it_is_left_out():
    row = read("trajectory", done("think[where is it?]", "ls"), action="bash")
    assert said(row) == [("user", "q"), ("assistant", "where is it?")]
    assert calls(row) == [("call_2", "bash", '{"command":"ls"}')]
    assert {"stage": "read", "repair": "after_action", "characters": 2} in row.notes


@pytest.mark.parametrize(
    ("action", "record"),
    [
        ("bash", done("ls", "SELECT id FROM boats")),
        ("bash", done("I am sorry about that, the path is wrong.")),
        ("bash", done("ls", environment="ic_sql")),
        ("sql", done("execute[SELECT a, b FROM")),
        ("sql", done("```bash\nls\n```")),
    ],
)
def test_an_action_in_another_language_than_its_source_makes_no_row(action, record):
    with pytest.raises(ForeignAction):
        read("trajectory", record, action=action)


def run_of(tmp_path, *records):
    """The rows of a file of such records, whose recipe does not say what the actions are."""
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, records)))
    convert = converter(Source(uri="runs.jsonl", reader="trajectory", group="g"), path)
    return [convert(msgspec.json.encode(record)) for record in records]


def test_without_a_word_in_the_recipe_the_files_first_actions_say_what_they_are(tmp_path):
    rows = run_of(tmp_path, done("date"), done("ls -a", "cat a.txt"), done("go"))
    assert [call[1] for row in rows for call in calls(row)] == ["bash"] * 4
    rows = run_of(tmp_path, done("SELECT 1", "SHOW TABLES"), done("select 2"))
    assert {call[1] for row in rows for call in calls(row)} == {"sql"}


@pytest.mark.parametrize(
    "records",
    [
        [done("ls -a"), done("SELECT 1")],
        [done("go to drawer 1"), done("take mug 1 from drawer 1")],
    ],
)
def test_actions_of_no_one_language_are_asked_about(tmp_path, records):
    with pytest.raises(SourceError, match="write `action: bash`, sql, python or powershell, or text"):
        run_of(tmp_path, *records)


def test_steps_that_name_their_tool():
    steps = [
        {"thought": "look", "action": {"tool": "read", "args": {"n": 1}}, "observation": {"lines": 2}},
        {"action": "search", "action_input": "garlic", "observation": "none"},
        {"tool": "sow", "args": {"rows": 3}, "result": True},
        {"action": "Final Answer", "action_input": "sown"},
    ]
    row = read("trajectory", {"task": "t", "steps": steps})
    assert calls(row) == [
        ("call_1", "read", '{"n": 1}'),
        ("call_3", "search", '{"input":"garlic"}'),
        ("call_5", "sow", '{"rows": 3}'),
    ]
    assert said(row)[2] == ("tool", '{"lines": 2}')
    assert said(row)[-1] == ("assistant", "sown")


def test_what_is_written_before_an_action_was_seen_before_it():
    steps = [
        {"observation": "home", "action": "search[red shoes]", "reward": 0},
        {"observation": "two shoes", "thought": "the first", "action": "click[B01]"},
    ]
    row = read("trajectory", {"instruction": "buy", "trajectory": steps})
    assert said(row) == [
        ("user", "buy\n\nhome"),
        ("assistant", None),
        ("tool", "two shoes"),
        ("assistant", "the first"),
    ]
    assert [call[1] for call in calls(row)] == ["search", "click"]


def test_what_langchain_did_before_it_answered():
    did = {"tool": "weather", "tool_input": "Lund", "log": "Thought: look it up\nAction: weather"}
    record = {"input": "Rain?", "intermediate_steps": [[did, "wet"]], "output": "Yes, all day."}
    row = read("trajectory", record)
    assert calls(row) == [("call_1", "weather", '{"input":"Lund"}')]
    assert said(row)[1] == ("assistant", "look it up")
    assert said(row)[2:] == [("tool", "wet"), ("assistant", "Yes, all day.")]


def test_what_the_agent_said_in_the_end_closes_the_conversation_once():
    steps = [{"action": "ls", "observation": "a"}]
    row = read("trajectory", {"goal": "g", "steps": steps, "final_answer": "one file"}, action="bash")
    assert said(row)[-2:] == [("tool", "a"), ("assistant", "one file")]
    steps += [{"action": "finish[one file]"}]
    row = read("trajectory", {"goal": "g", "steps": steps, "final_answer": "one file"}, action="bash")
    assert said(row)[-2:] == [("tool", "a"), ("assistant", "one file")]


def test_a_log_of_typed_events():
    events = [
        {"type": "thought", "content": "look", "step": 1},
        {"type": "action", "content": {"tool": "read", "input": {"n": 1}}},
        {"type": "observation", "content": "x"},
        {"type": "final_answer", "content": "done"},
    ]
    row = read("trajectory", {"task": "t", "steps": events})
    assert calls(row) == [("call_1", "read", '{"n": 1}')]
    assert said(row)[-1] == ("assistant", "done")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"query": "x"}, "expected one of: trajectory, turn_history, steps"),
        ({"trajectory": [{"action": "ls"}]}, "expected one of: query, task"),
        ({"query": "x", "trajectory": []}, "has no steps"),
        ({"query": "x", "trajectory": [{"observation": "a"}]}, "neither step_type nor action"),
        ({"query": "x", "trajectory": [{"action": {"n": 1}}]}, "action names no tool"),
        (
            {"query": "x", "turn_history": {"actions": ["a"], "observations": []}},
            "1 actions but 0 observations",
        ),
        ({"query": "x", "trajectory": [{"step_type": "nap"}]}, "unknown step_type 'nap'"),
    ],
)
def test_a_trajectory_says_what_it_lacks(record, message):
    with pytest.raises(Unfit, match=message):
        read("trajectory", record, action="bash")


def guessed(tmp_path, *records):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, records)))
    return guess(path)


def test_a_log_of_steps_is_guessed_with_the_language_of_its_actions(tmp_path):
    log = {
        "task": "Find the fault",
        "model": "m-1",
        "success": True,
        "steps": [{"thought": "look", "action": "tail -n 3 /var/log/a", "observation": "no power"}],
    }
    found = guessed(tmp_path, log)
    columns = {"steps": "steps", "task": "task"}
    assert (found.reader, found.settings) == (
        "trajectory",
        {"columns": columns, "action": "bash", "tools": "aj_tools"},
    )
    played = {**log, "steps": [{"action": "open the gate", "observation": "it is open"}]}
    found = guessed(tmp_path, played)
    assert found.reader is None
    assert "what are the agent's actions?" in found.problem


def test_agents_turns_as_text_are_guessed_as_a_map_that_keeps_the_prompt(tmp_path):
    turn = {"system_prompt": None, "mask": False}
    turns = [
        {**turn, "role": "system", "system_prompt": "You have a shell.", "text": None, "mask": True},
        {**turn, "role": "user", "text": "Fix this"},
        {**turn, "role": "ai", "text": "```\nls\n```"},
    ]
    found = guessed(tmp_path, {"instance_id": "x", "trajectory": turns, "exit_status": "submitted"})
    row = read("map", {"trajectory": turns}, **found.settings)
    assert said(row) == [("system", "You have a shell."), ("user", "Fix this"), ("assistant", "```\nls\n```")]


def test_outcomes_are_told_as_where_names_them():
    runs = [
        done("ls", success=True, info={"exit_status": "submitted", "reward_model": "m"}),
        done("ls", success=False, info={"exit_status": "early"}),
    ]
    runs[0]["turn_history"]["rewards"] = [0.0, 1.0]
    assert outcomes(runs) == {
        "turn_history.rewards.-1": [1.0],
        "success": [True, False],
        "info.exit_status": ["submitted", "early"],
    }
