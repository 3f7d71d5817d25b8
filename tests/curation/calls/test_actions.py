import json
from typing import get_args, get_type_hints

import pytest

from curation.calls.action_language import evident_language, may_be
from curation.calls.actions import LANGUAGES, run, taken_apart, told, tools_for
from curation.calls.tool_schemas import compile_tools
from curation.recipe.source import Source


def test_a_recipe_may_name_the_languages_of_the_table():
    named = {name for part in get_args(get_type_hints(Source)["action"]) for name in get_args(part)}
    assert named == {*LANGUAGES, "text"}


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("ls -a\n", "ls -a"),
        ("execute[ls -a /srv]", "ls -a /srv"),
        ("execute[ls [ab]*]\nObs", "ls [ab]*"),
        ("Action 2: execute[ls]", "ls"),
        ("```bash\nls | wc -l\n```", "ls | wc -l"),
        ("```BASH find . -name x```", "find . -name x"),
        ("```\nls -F\n```", "ls -F"),
        ("date\nOutput: Mon Jan 1\nReward: 1.0", "date"),
        ("ls Observation: store.c Action: cat store.c", "ls"),
        ("echo Reward: 3", "echo Reward: 3"),
        ("echo 'a\nOutput: b'", "echo 'a\nOutput: b'"),
        ("cat > a <<EOF\nOutput: b\nEOF", "cat > a <<EOF\nOutput: b\nEOF"),
        ("[ -f a ] && ls", "[ -f a ] && ls"),
    ],
)
def test_a_command_without_what_stands_around_it(text, inner):
    action = taken_apart(text, "bash")
    assert (action.text, action.word, action.is_whole) == (inner, None, True)


def test_made_up_output_behind_sql_and_python():
    assert taken_apart("SELECT a FROM b Reward: 0.0", "sql").text == "SELECT a FROM b"
    assert taken_apart("SELECT 'x Reward: y'", "sql").text == "SELECT 'x Reward: y'"
    assert taken_apart("f(1)\nOutput: 2", "python").text == "f(1)"
    assert taken_apart('s = """\nOutput: 2"""', "python").text == 's = """\nOutput: 2"""'


@pytest.mark.parametrize(
    ("text", "word", "given", "is_closing"),
    [
        ("submit", "submit", "", True),
        ("submit flag{a}", "submit", "flag{a}", True),
        ("finish: breaker tripped", "finish", "breaker tripped", True),
        ("Finish[yes]", "finish", "yes", True),
        ("search[red shoes]", "search", "red shoes", False),
        ("click[Buy Now]", "click", "Buy Now", False),
        ("open a.py", "open", "a.py", False),
        ("edit 1:2\nimport os\nend_of_edit", "edit", "1:2\nimport os", False),
        ("scroll_down", "scroll_down", "", False),
    ],
)
def test_words_of_the_environment(text, word, given, is_closing):
    action = taken_apart(text)
    assert (action.word, action.text, action.is_closing) == (word, given, is_closing)


@pytest.mark.parametrize("text", ["execute[SELECT a FROM", "Output: [(1,)]", "Observation 3: none"])
def test_an_action_that_breaks_off_or_is_output_alone_is_not_whole(text):
    assert not taken_apart(text, "sql").is_whole


def test_a_thought_before_the_action_is_kept():
    action = taken_apart("Thought: look first\nAction: ls")
    assert (action.thought, action.text) == ("look first", "ls")
    action = taken_apart("I will look.\n```\nls -F\n```")
    assert (action.thought, action.text) == ("I will look.", "ls -F")


def test_in_python_brackets_behind_a_name_are_code_but_for_words_that_close():
    assert taken_apart("x[0]", "python").word is None
    assert taken_apart("finish[3]", "python").word == "finish"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("SELECT id FROM boats", "sql"),
        ("-- how many\nshow tables;", "sql"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "sql"),
        ("UPDATE boats SET age = 1", "sql"),
        ("def f(x):\n    return x", "python"),
        ("import re\nprint(re.escape('a'))", "python"),
        ("tail -n 20 /var/log/a.log", "bash"),
        ("select f in *; do echo $f; done", "bash"),
        ("cat a.txt | wc -l", "bash"),
        ("Get-ChildItem -Path . | Select-Object Name", "powershell"),
        ("$n = (Get-Process).Count", "powershell"),
        ("apt-get install -y git", "bash"),
        ("const page = await open('a')", None),
        ("go to drawer 1", None),
        ("open the gate", None),
        ("It seems like the table does not exist.", None),
        ("look", None),
        ("Sorry, I forgot to replace `<name of a table>`", None),
        ("size=`du -s .`", "bash"),
    ],
)
def test_the_language_that_a_text_is_evidently_in(text, language):
    assert evident_language(text) == language


def test_what_may_stand_in_a_source_of_a_language():
    assert may_be("open a.py", "bash")
    assert may_be("set x=1", "sql")
    assert may_be("x = 1", "python")
    for language, text in (
        ("bash", "SELECT id FROM boats"),
        ("bash", "def f(x):\n    return x"),
        ("bash", "I am sorry about that"),
        ("sql", "ls -a"),
        ("sql", "Can you give me the schema?"),
        ("python", "def f(x)"),
    ):
        assert not may_be(text, language)


def test_the_tools_that_calls_need_take_these_calls():
    tools = tools_for(["bash", "python", "sql"], ["submit", "click"])
    offered = compile_tools(tools, repair=False)
    assert offered.problem is None
    names = {tool["function"]["name"] for tool in json.loads(tools)}
    assert names == {"bash", "python", "sql", "submit", "click"}
    assert run("sql", "SELECT 1") == ("sql", '{"query":"SELECT 1"}')
    assert told("click", "Buy") == ("click", '{"input":"Buy"}')
    assert told("submit", "") == ("submit", "{}")


def test_bash_alone_needs_no_tools_of_its_own():
    assert tools_for(["bash"], []) is None
    assert tools_for([], []) is None
