"""What the grammar of bash takes and no shell runs; and commands that look like it."""

import pytest

from curation.calls.bash.syntax import bash_error, keeps_the_grammar

PYTHON = [
    "import os",
    "import numpy as np, os.path",
    "from . import words",
    "from os import path, sep",
    "x = 1",
    "self.items[0] = value",
    "a, b = b, a",
    "count += 1",
    "left //= 2",
    "mask |= FLAG",
    "limit: int = 3",
    "return value",
    "return [first, second]",
    "raise ValueError from error",
    "yield line",
    "assert x == y",
    "nonlocal total",
    "del cache[key]",
    "class Reader:",
    "try:",
    "else:",
    "@property",
    '"""Read one line after the other."""',
    "'One sentence in quotes'",
    "'first',",
    "x == 3 and y",
    "# first\nimport os\nimport sys\n\nx = 1",
    "import os; x = os.sep; y = 2",
]
JAVASCRIPT = [
    "const a = 1;",
    "const { a, b } = require;",
    "let a = b || '';",
    "let found;",
    "var a;",
    "module.exports = {",
    "this.#list = list;",
    "a.b === c",
    "i++;",
    "import fs from 'fs';",
    "import { a } from './a.js';",
    "import './style.css';",
    "export default main;",
    "export const a = 1;",
    "class A extends B {",
    "return a;",
    "throw error;",
    "await stop;",
    "typeof a",
    "'use strict';",
    "size: {",
    "default: {",
    "// first\nconst a = b;",
    "static names = [];",
]
MORE = [
    "SELECT name FROM boats WHERE id = 3;",
    "insert into boats values 1",
    "DROP TABLE boats",
    "Get-ChildItem -Path . | Select-Object Name",
    '$name = "x"',
    '{"command": "ls"}',
]
COMMANDS = [
    "import -window root shot.png",
    "import shot.png",
    "from alice",
    "print report.pdf",
    "pass",
    "pass show mail/work",
    "echo = b",
    "grep == file.txt",
    "grep -c '=' file",
    "[ x = y ]",
    "test $a = b && expr $a = b",
    "x=1 y=2 env",
    "x[1 + 2]=3",
    "ls [a-c]*[x y]",
    "let i++",
    'let "x = 3"',
    "let x=1",
    "export PATH=$PATH:/opt/bin",
    "export -f default",
    "return",
    "return 1",
    'return "$code"',
    "break 2",
    "class",
    "g++",
    "g++ -o main main.cc",
    "@scope/tool --help",
    ", cowsay hello",
    ",",
    ": > log",
    "delete report.txt",
    "update-grub",
    "create app.tar",
    "select x in a b; do echo $x; done",
    "python -c 'import os'",
    "python3 - <<EOF\nimport os\nx = 1\nEOF",
    'psql -c "SELECT 1"',
    'pwsh -c "Get-Process"',
    "node -e 'const a = 1'",
    "apt-get install -y git",
    "ssh-add",
    '"/opt/a tool/bin/run" now',
    "'My Tool' --version",
    # Slips of somebody who writes bash.
    'files = "$(ls)"',
    "name = $1",
    "cd /srv\nx = 1\nls -l $x",
    "is_up() { ping -c1 host; return false; }",
]


@pytest.mark.parametrize("statement", PYTHON + JAVASCRIPT + MORE)
def test_a_statement_of_another_language_is_no_command(statement):
    assert keeps_the_grammar(statement)
    assert bash_error(statement) is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_looks_like_one_is_a_command(command):
    assert bash_error(command) is None


def test_a_statement_that_bash_would_take_is_told_from_broken_grammar():
    assert bash_error("# first\n  x = 1") == {"line": 2, "column": 3, "near": "x = 1", "other_language": True}
    assert "other_language" not in bash_error("print('a')")
