"""`aj check`: what a recipe's sources hold, what of it cannot be read, and what mixture that can make."""

import json
from pathlib import Path

import pytest

import aj
from curation.errors import SourceError
from curation.jobs.check import Checked, check

RECIPE = """\
name: small
version: 1.0.0
seed: 1
base_model: {{id: acme/tiny, code: Tiny}}
sources:
  chats: {{uri: chats.jsonl, reader: messages, group: talk}}
  other: {{{other}, group: rest}}
mixture:
  shares: {{talk: 0.5, rest: 0.5}}
"""
CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
PAIRS = "question,answer\nwhen?,now\nwhere?,here\n"


def checked(folder: Path, other: str, files: dict[str, str], *, chats: str = "") -> Checked:
    (folder / "chats.jsonl").write_text(json.dumps(CHAT) + "\n" + chats)
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "r.yaml").write_text(RECIPE.format(other=other))
    return check(folder / "r.yaml")


def test_rows_that_cannot_be_read_are_told_and_count_for_no_mixture(tmp_path):
    found = checked(tmp_path, "uri: a.csv, reader: qa", {"a.csv": PAIRS}, chats="\n{broken\n")
    assert found.rows == {"chats": 2, "other": 2}
    lines = found.as_text(Path("r.yaml")).splitlines()
    assert lines[2] == "  chats  talk  2 rows, 1 unreadable"
    assert lines[3].startswith("         first unreadable: chats.jsonl, row 1: JSON is malformed")
    told = json.loads(found.as_json())
    assert told["unreadable"] == {"chats": 1, "other": 0}
    assert told["feasible"] is True


def test_a_total_of_max_says_how_large_it_gets_and_what_keeps_it_there(tmp_path):
    found = checked(tmp_path, "uri: a.csv, reader: qa", {"a.csv": PAIRS})
    assert found.as_text(Path("r.yaml")).splitlines()[-3:] == [
        "the mixture can be had if the stages keep enough rows",
        "total: max is at most 8 rows; what keeps it there: talk (1 row, 4 times each)",
        "next    aj curate r.yaml",
    ]


@pytest.mark.parametrize(
    ("other", "name", "text"),
    [
        ("uri: a.csv, reader: qa", "a.csv", ""),
        ("uri: a.txt, reader: adventure", "a.txt", "Just some notes.\n"),
    ],
)
def test_a_group_that_has_no_readable_row_makes_any_mixture_impossible(tmp_path, other, name, text):
    found = checked(tmp_path, other, {name: text})
    assert not found.feasible
    assert "rest has a share of 50 % and no rows left" in found.as_text()


def test_what_is_allowed_and_perhaps_not_meant_is_noted(tmp_path):
    (tmp_path / "chats.jsonl").write_text(json.dumps(CHAT) + "\n")
    text = RECIPE.format(other="uri: chats.jsonl, reader: messages") + "stages: [normalise]\n"
    (tmp_path / "r.yaml").write_text(text)
    found = check(tmp_path / "r.yaml")
    note = f"{tmp_path}/r.yaml:10: stages: exact_duplicates is not among the stages; copies stay"
    assert f"note    {note}" in found.as_text().splitlines()
    assert json.loads(found.as_json())["cautions"] == [note]


def test_a_source_that_cannot_be_read_at_all_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"^source other: a\.txt: no herbal entries: looked for"):
        checked(tmp_path, "uri: a.txt, reader: herbal", {"a.txt": "Just some notes.\n"})


@pytest.mark.parametrize("command", ["check", "curate"])
def test_a_back_end_that_is_not_installed_is_asked_for_by_name(command, tmp_path, monkeypatch, capsys):
    checked(tmp_path, "uri: a.csv, reader: qa", {"a.csv": PAIRS})
    recipe = tmp_path / "r.yaml"
    recipe.write_text(recipe.read_text() + "stages:\n  - chat\n  - near_duplicates: {backend: datasketch}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("curation.recipe.load.find_spec", lambda name: None)
    assert aj.main([command, str(recipe)]) == 2
    told = capsys.readouterr().err
    assert f"{recipe}:12: stages[1].near_duplicates.backend: datasketch is not installed" in told
    assert "pip install '.[datasketch]' in the project's folder" in told
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("command", ["check", "curate"])
def test_a_test_set_that_is_not_installed_is_asked_for_by_name(command, tmp_path, monkeypatch, capsys):
    checked(tmp_path, "uri: a.csv, reader: qa", {"a.csv": PAIRS})
    recipe = tmp_path / "r.yaml"
    recipe.write_text(recipe.read_text() + "stages:\n  - chat\n  - contamination: {against: [bfcl]}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("curation.recipe.load.find_spec", lambda name: None)
    assert aj.main([command, str(recipe)]) == 2
    told = capsys.readouterr().err
    line = "the set 'bfcl' comes with a package: pip install --no-deps bfcl-eval"
    assert f"{recipe}:12: stages[1].contamination.against: {line}\n" in told
    assert not (tmp_path / "build").exists()


def test_calls_that_stand_without_tools_are_told_until_the_source_writes_them(tmp_path):
    call = {"function": {"name": "bash", "arguments": {"command": "ls"}}}
    calling = json.dumps({"messages": [CHAT["messages"][0], {"role": "assistant", "tool_calls": [call]}]})
    found = checked(tmp_path, "uri: a.csv, reader: qa", {"a.csv": PAIRS}, chats=f"{calling}\n")
    assert "1 row with tool calls and no tools" in found.as_text()
    assert json.loads(found.as_json())["without_tools"] == {"chats": 1, "other": 0}
    recipe = (tmp_path / "r.yaml").read_text().replace("group: talk}", "group: talk, tools: aj_tools}")
    (tmp_path / "r.yaml").write_text(recipe)
    assert "no tools" not in check(tmp_path / "r.yaml").as_text()


def test_it_tells_of_every_source_what_becomes_of_its_keys(tmp_path):
    asked = [
        {"question": "why?", "answer": "so", "tag": n, "image": "x.png" if n else None} for n in range(2)
    ]
    files = {"a.jsonl": "".join(f"{json.dumps(one)}\n" for one in asked)}
    found = checked(tmp_path, "uri: a.jsonl, reader: qa", files)
    lines = found.as_text().splitlines()
    at = lines.index("  other  rest  2 rows, 1 refused")
    assert [line.strip() for line in lines[at + 1 : at + 4]] == [
        "read: answer, question",
        "ignored: tag (2)",
        "refused: image (1)",
    ]
    assert "first refused: a.jsonl, row 1: `image` ('x.png'): it speaks of a picture" in lines[at + 4]
    told = json.loads(found.as_json())["keys"]
    assert told["chats"]["read"] == ["messages", "messages[].content", "messages[].role"]
    assert told["other"]["refused"] == {"image": 1}
