"""The command itself: what it answers when the disk, the system or a person stops it."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from terminal import on_a_terminal

import aj
from curation.commands.verbs import HELP, commands
from curation.errors import CurationError

ROOT = Path(__file__).resolve().parents[1]
AJ = (sys.executable, str(ROOT / "aj.py"))
# What `aj` may not wait for before it knows what is asked, and that the request is right.
HEAVY = {
    *("polars", "numpy", "numba", "pyarrow", "torch", "transformers", "peft", "datasets", "scipy"),
    *("huggingface_hub", "httpx", "tokenizers", "jinja2", "sqlglot", "langdetect"),
}


def command_of(verb):
    return commands.get_command(click.Context(commands), verb)


def put(monkeypatch, verb, run):
    """Let a command do something else."""
    monkeypatch.setattr(command_of(verb), "callback", lambda **_: run())


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS], ids=errno.errorcode.get
)
def test_what_the_disk_is_at_fault_for_is_one_line(monkeypatch, capsys, number):
    def run():
        raise OSError(number, os.strerror(number), "some/file")

    put(monkeypatch, "verify", run)
    assert aj.main(["verify", "x"]) == 2
    assert capsys.readouterr().err == f"aj verify: some/file: {os.strerror(number)}\n"


def test_no_place_for_temporary_files_is_one_line(monkeypatch, capsys):
    def run():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    put(monkeypatch, "verify", run)
    assert aj.main(["verify", "x"]) == 2
    assert capsys.readouterr().err == "aj verify: disk: No usable temporary directory found in ['/tmp']\n"


def test_any_other_error_of_the_system_is_ours_and_shows(monkeypatch):
    def run():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "ours")

    put(monkeypatch, "verify", run)
    with pytest.raises(FileNotFoundError):
        aj.main(["verify", "x"])


@pytest.mark.parametrize(
    ("command", "told", "said"),
    [
        ("curate", "", "stopped; the same command goes on from here"),
        ("fetch", "", "stopped; the same command goes on from here"),
        ("run", "stopped at step 3 of 6, all of it saved; go on with --resume",
         "stopped at step 3 of 6, all of it saved; the same command goes on from here"),
        ("train", "stopped at step 3 of 6, all of it saved; go on with --resume",
         "stopped at step 3 of 6, all of it saved; go on with --resume"),
        ("train", "", "stopped; run the same command again"),
        ("evaluate", "", "stopped; nothing is half-written, the same command starts anew"),
        ("merge", "", "stopped; nothing is half-written, the same command starts anew"),
        ("export", "", "stopped; finished files stay, the same command makes the rest"),
    ],
)  # fmt: skip
def test_ctrl_c_says_what_the_same_command_does_next(monkeypatch, capsys, command, told, said):
    def run():
        raise KeyboardInterrupt(*[told] if told else [])

    put(monkeypatch, command, run)
    assert aj.main([command, "x"]) == 130
    assert capsys.readouterr().err == f"aj {command}: {said}\n"


@pytest.mark.parametrize(
    ("command", "how"), [("train", "go on with --resume"), ("run", "run the same command again")]
)
def test_only_the_command_that_has_it_names_resume(monkeypatch, capsys, command, how):
    def run():
        raise CurationError("out: the disk is full; free some space and go on with --resume")

    put(monkeypatch, command, run)
    assert aj.main([command, "x"]) == 2
    assert capsys.readouterr().err == f"aj {command}: out: the disk is full; free some space and {how}\n"


def test_sigterm_says_the_same_and_exits_with_143(monkeypatch, capsys):
    put(monkeypatch, "curate", lambda: signal.raise_signal(signal.SIGTERM))
    assert aj.main(["curate", "x"]) == 143
    assert capsys.readouterr().err == "aj curate: stopped; the same command goes on from here\n"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("why DATASET ROW --json", {"dataset": Path("DATASET"), "row": "ROW"}),
        ("why DATASET --json ROW", {"dataset": Path("DATASET"), "row": "ROW"}),
        ("why --json DATASET ROW", {"dataset": Path("DATASET"), "row": "ROW"}),
        ("why DATASET --text WORDS --json", {"dataset": Path("DATASET"), "row": None, "text": "WORDS"}),
        ("diff OLD --json NEW --html PAGE", {"old": Path("OLD"), "new": Path("NEW"), "html": Path("PAGE")}),
        ("evaluate --turns 3 MODEL --json --rows 2", {"model": Path("MODEL"), "turns": 3, "rows": 2}),
        ("train FROZEN --resume --json", {"frozen": Path("FROZEN"), "resume": True}),
        ("train --resume SAVE --json FROZEN", {"frozen": Path("FROZEN"), "resume": Path("SAVE")}),
    ],
)
def test_options_may_stand_anywhere(arguments, found):
    verb, *rest = arguments.split()
    parsed = command_of(verb).make_context(verb, rest).params
    assert parsed["as_json"]
    assert {name: parsed[name] for name in found} == found


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("why", "aj why: argument DATASET is missing; see aj why --help"),
        ("why d --jsom r", "aj why: no such option --jsom; did you mean --json?"),
        ("why d r s", "aj why: got unexpected extra argument (s); see aj why --help"),
        ("approve d", "aj approve: option --by is missing; see aj approve --help"),
        ("curate r --workers 0",
         "aj curate: --workers: 0 is not a whole number of at least 1; see aj curate --help"),
        ("curate r --workers two",
         "aj curate: --workers: two is not a whole number of at least 1; see aj curate --help"),
        ("review d --port x", "aj review: --port: 'x' is not a valid integer; see aj review --help"),
        ("curate --worker 2 r", "aj curate: no such option --worker; did you mean --workers?"),
        ("curate r --engine local", "aj curate: no such option --engine; see aj curate --help"),
        ("curate r --force=yes", "aj curate: option '--force' does not take a value; see aj curate --help"),
        ("curate r --out", "aj curate: option '--out' requires an argument; see aj curate --help"),
        ("train f --data --json",
         "aj train: --data needs a value; one that begins with a dash is written --data=--json; "
         "see aj train --help"),
        ("curat r", "aj: no such command curat; did you mean curate?"),
        ("xyz", "aj: no such command xyz; see aj --help"),
        ("--verbose curate", "aj: no such option --verbose; see aj --help"),
        ("curate --out= r", "aj curate: --out: expected a path, got nothing; see aj curate --help"),
        ("curate --bogus r", "aj curate: no such option --bogus; see aj curate --help"),
        ("curate --work 2 r", "aj curate: no such option --work; did you mean --workers?"),
        ("chat model", "aj: no such command chat; see aj --help"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_told_in_one_line(capsys, arguments, told):
    assert aj.main(arguments.split()) == 2
    assert capsys.readouterr() == ("", f"{told}\n")


def test_no_control_code_of_a_wrong_command_line_reaches_the_terminal(capsys):
    assert aj.main(["cur\x1b[2J"]) == 2
    assert capsys.readouterr().err == "aj: no such command cur⟨U+001B⟩[2J; see aj --help\n"


def test_a_name_that_begins_with_a_dash_stands_after_two_or_an_equals_sign():
    parsed = command_of("check").make_context("check", ["--json", "--", "-r.yaml"]).params
    assert parsed["recipe"] == Path("-r.yaml")
    parsed = command_of("why").make_context("why", ["d", "--text=--json"]).params
    assert (parsed["text"], parsed["as_json"]) == ("--json", False)


def test_alone_it_shows_its_commands_in_the_order_of_the_work(capsys):
    assert aj.main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    places = [shown.err.index(f"\n  {verb} ") for verb in HELP]
    assert places == sorted(places)


@pytest.mark.parametrize("help", ["--help", "-h"])
def test_its_help_shows_them_in_groups(capsys, help):
    assert aj.main([help]) == 0
    shown = capsys.readouterr().out
    titles = ["First look:", "Make a dataset:", "Read and decide:", "Train:", "Use the model:", "All of it:"]
    places = [shown.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    assert all(text.split()[0] in shown for text in HELP.values())


@pytest.mark.parametrize("verb", HELP)
def test_every_command_has_its_help(capsys, verb):
    assert aj.main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: aj {verb} ")
    assert HELP[verb].split(",")[0] in shown


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["--version"], ["curat"], ["train", "--help"], ["verify"], ["curate", "wrong.yaml"],
     ["check", "wrong.yaml"], ["run", "wrong.yaml"], *([verb, "--help"] for verb in ("demo", "why", "try"))],
    ids=" ".join,
)  # fmt: skip
def test_nothing_heavy_is_imported_before_the_request_is_right(tmp_path, arguments):
    (tmp_path / "wrong.yaml").write_text("name: wrong\n")
    code = f"import sys, aj; aj.main({arguments}); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not HEAVY & set(ran.stderr.splitlines()[-1].split())


def test_what_failed_is_red_on_a_terminal(tmp_path):
    red = f"\x1b[31maj verify: {tmp_path / 'x'}: does not exist"
    assert on_a_terminal([*AJ, "verify", str(tmp_path / "x")]).startswith(red)
    assert on_a_terminal([*AJ, "curat"]).startswith("\x1b[31maj: no such command curat")


def test_nothing_is_red_where_no_color_is_asked_for_or_in_a_pipe(tmp_path, monkeypatch):
    command = [*AJ, "verify", str(tmp_path / "x")]
    piped = subprocess.run(command, capture_output=True, text=True, check=False)
    assert piped.stderr.startswith("aj verify: ")
    assert "\x1b" not in piped.stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert on_a_terminal(command).startswith("aj verify: ")
    assert "\x1b" not in on_a_terminal(command)


def test_a_reader_that_goes_early_is_no_fault():
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{AJ[0]}' '{AJ[1]}' --help | true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 2), (["check", "--help"], 2), (["--version"], 2), ([], 2), (["x"], 2)],
)
def test_a_full_disk_under_the_help_is_no_traceback(arguments, code):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*AJ, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*AJ, *arguments], stdout=subprocess.PIPE, stderr=full, check=False)
    assert done.returncode in (0, code)
