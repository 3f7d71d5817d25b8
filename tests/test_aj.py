"""The command itself: what it answers when the disk, the system or a person stops it."""

import errno
import os
import signal
from pathlib import Path

import pytest

import aj
from curation.errors import CurationError


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS], ids=errno.errorcode.get
)
def test_what_the_disk_is_at_fault_for_is_one_line(monkeypatch, capsys, number):
    def run(_):
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr(aj, "run_verify", run)
    assert aj.main(["verify", "x"]) == 2
    assert capsys.readouterr().err == f"aj verify: some/file: {os.strerror(number)}\n"


def test_no_place_for_temporary_files_is_one_line(monkeypatch, capsys):
    def run(_):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(aj, "run_verify", run)
    assert aj.main(["verify", "x"]) == 2
    assert capsys.readouterr().err == "aj verify: disk: No usable temporary directory found in ['/tmp']\n"


def test_any_other_error_of_the_system_is_ours_and_shows(monkeypatch):
    def run(_):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "ours")

    monkeypatch.setattr(aj, "run_verify", run)
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
    def run(_):
        raise KeyboardInterrupt(*[told] if told else [])

    monkeypatch.setattr(aj, f"run_{command}", run)
    assert aj.main([command, "x"]) == 130
    assert capsys.readouterr().err == f"aj {command}: {said}\n"


@pytest.mark.parametrize(
    ("command", "how"), [("train", "go on with --resume"), ("run", "run the same command again")]
)
def test_only_the_command_that_has_it_names_resume(monkeypatch, capsys, command, how):
    def run(_):
        raise CurationError("out: the disk is full; free some space and go on with --resume")

    monkeypatch.setattr(aj, f"run_{command}", run)
    assert aj.main([command, "x"]) == 2
    assert capsys.readouterr().err == f"aj {command}: out: the disk is full; free some space and {how}\n"


def test_sigterm_says_the_same_and_exits_with_143(monkeypatch, capsys):
    monkeypatch.setattr(aj, "run_curate", lambda _: signal.raise_signal(signal.SIGTERM))
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
    parsed = vars(aj.parser().parse_args(arguments.split()))
    assert parsed["json"]
    assert {name: parsed[name] for name in found} == found


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("why", "] dataset [row]\naj why: error: the following arguments are required: dataset\n"),
        ("why d --jsom r", "aj: error: unrecognized arguments: --jsom r\n"),
        ("why d r s", "aj: error: unrecognized arguments: s\n"),
        ("approve d", "aj approve: error: the following arguments are required: --by\n"),
        ("curate r --workers 0", "argument --workers: 0 is not a whole number of at least 1\n"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_told_with_its_usage(capsys, arguments, told):
    with pytest.raises(SystemExit) as stopped:
        aj.parser().parse_args(arguments.split())
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith(told)


def test_a_name_that_begins_with_a_dash_stands_after_two():
    assert str(aj.parser().parse_args(["check", "--json", "--", "-r.yaml"]).recipe) == "-r.yaml"
