"""checks: what a call is judged by, and what is said of it; the stage's own tests are in test_tools.py."""

import json

import pytest

from curation.calls.checks import CallCheck, in_words, offered_tools, problem_of
from curation.calls.result_pairs import RowCall
from curation.calls.tool_schemas import OPEN, Toolset, compile_tools

LIGHT = {"type": "object", "required": ["room"], "properties": {"room": {"enum": ["hall", "attic"]}}}
OWN = json.dumps([{"name": "light", "parameters": LIGHT}])
GIVEN = compile_tools(json.dumps([{"name": "door"}]), repair=False)


@pytest.mark.parametrize(
    ("own", "given", "names"),
    [(OWN, GIVEN, ["light"]), (None, GIVEN, ["door"]), ("[]", GIVEN, ["door"]), ("[]", Toolset(), [])],
)
def test_a_row_without_tools_of_its_own_is_judged_by_those_given(own, given, names):
    assert list(offered_tools(own, given, repair=True).tools) == names


def test_unusable_tools_are_not_replaced_by_those_given():
    assert offered_tools("{}", GIVEN, repair=True).problem is not None
    assert offered_tools(None, OPEN, repair=True).is_open


@pytest.mark.parametrize(
    ("name", "arguments", "reason", "words"),
    [
        ("light", '{"room": "hall"}', None, None),
        ("lamp", "{}", "unknown_tool", "no tool named lamp"),
        ("light", "{}", "arguments_invalid", "'room' is a required property"),
        (
            "light",
            '{"room": "pub"}',
            "arguments_invalid",
            "'pub' is not one of ['hall', 'attic']",
        ),
        ("light", "[]", "arguments_invalid", "not an object but an array"),
        ("light", '{"arguments": {"room": "hall"}}', "arguments_invalid", "'room' is a required property"),
        ("light", "{'room': 'hall'}", "arguments_not_json", "no JSON: "),
    ],
)
def test_a_call_is_judged_as_it_stands(name, arguments, reason, words):
    call = RowCall(name, arguments)
    problem = problem_of(call, offered_tools(OWN, OPEN, repair=True), "drop")
    assert (problem and problem.reason) == reason
    assert problem is None or in_words(problem).startswith(words)
    assert call == RowCall(name, arguments)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ls | wc -l", None),
        ("ls |", "no bash, at line 1, column 5: the end"),
        ("print('a')", "no bash, at line 1, column 7: 'a')"),
        ("import os", "no bash but another language, at line 1, column 1: import os"),
    ],
)
def test_a_command_of_bash_is_judged_by_its_language(command, words):
    problem = problem_of(RowCall("bash", json.dumps({"command": command})), OPEN, "drop")
    assert (None if problem is None else in_words(problem)) == words


def test_on_other_machines_a_shell_may_be_powershell():
    for command, flags in (("Get-Service -Name ssh", []), ("if ($x) { Get-Date }", ["remote_bash"])):
        check = CallCheck(OPEN, frozenset(), "drop")
        assert check.call(1, RowCall("remote_bash", json.dumps({"command": command}))) is None
        assert [flag["tool"] for flag in check.flags] == flags
