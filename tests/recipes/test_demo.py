"""The demo's data holds what recipes/demo/README.md promises, and the recipe over it is feasible."""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import orjson
import pytest
import zstandard

from curation.jobs.check import check
from curation.readers.herbal import reader as herbal
from curation.recipe.source import Source

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
DEMO = RECIPES / "demo"


def read(name: str) -> bytes:
    data = (DEMO / name).read_bytes()
    if name.endswith(".gz"):
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompress(data) if name.endswith(".zst") else data


def lines(name: str) -> list[bytes]:
    return read(name).removeprefix(b"\xef\xbb\xbf").splitlines()


def records(name: str) -> list[dict]:
    found = []
    for line in lines(name):
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    return found


def conversations(name: str) -> list[list[dict]]:
    return [record["messages"] for record in records(name) if "messages" in record]


def roles(messages: list[dict]) -> str:
    return " ".join(message["role"] for message in messages)


def pairs(name: str) -> list[tuple[str, str]]:
    """Question and answer of every record of a file, whatever its shape."""
    if name.endswith(".csv"):
        return [(r["question"], r["answer"]) for r in csv.DictReader(io.StringIO(read(name).decode()))]
    if name == "instructions.json":
        return [(f"{r['instruction']}\n{r['input']}", r["output"]) for r in json.loads(read(name))]
    if name.startswith("letters"):
        talks = [r["conversations"] for r in records(name)]
        return [(t[0]["value"], "\n".join(turn["value"] for turn in t[1:])) for t in talks]
    if name.startswith("farm"):
        return [(r["question"], r["answers"]) for r in records(name)]
    talks = [m for m in conversations(name) if roles(m).startswith("user assistant")]
    return [(m[0]["content"], "\n".join(turn["content"] for turn in m[1:])) for m in talks]


def shingles(pair: tuple[str, str]) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", " ".join(pair).casefold())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def similar(name: str, other: str, least: float, below: float = 1.0) -> int:
    """How many records of `name` have a neighbour in `other` with least <= Jaccard < below."""
    theirs = [shingles(pair) for pair in pairs(other)]
    best = [
        max(len(mine & their) / len(mine | their) for their in theirs)
        for mine in map(shingles, pairs(name))
        if mine
    ]
    return sum(least <= similarity < below for similarity in best)


def test_the_recipe_names_these_files_and_its_mixture_can_be_had():
    found = check(RECIPES / "demo.yaml")
    assert found.feasible
    text = (RECIPES / "demo.yaml").read_text(encoding="utf-8")
    assert text.startswith("# aj curate recipes/demo.yaml\n")
    assert {file.name for file in DEMO.iterdir()} - {"README.md", "adventures"} <= set(
        re.findall(r"uri: (\S+)", text)
    )


def test_the_readme_lists_every_file():
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^\| `([^`]+)`", readme, re.M))
    assert names == {
        "adventures/*.txt" if file.is_dir() else file.name
        for file in DEMO.iterdir()
        if file.name != "README.md"
    }


def test_the_folder_stays_small():
    assert sum(file.stat().st_size for file in DEMO.rglob("*")) < 1_000_000


def test_a_file_opens_with_a_byte_order_mark():
    assert (DEMO / "chats.jsonl").read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_file_ends_its_lines_with_crlf():
    data = read("garden.csv")
    assert data.count(b"\r\n") == data.count(b"\n") > 30


def test_a_file_ends_without_a_newline():
    assert not read("agent.jsonl").endswith(b"\n")


@pytest.mark.parametrize(("name", "broken"), [("chats.jsonl", 2), ("agent.jsonl", 1), ("decisions.jsonl", 0)])
def test_broken_lines(name, broken):
    assert len(lines(name)) - len(records(name)) == broken


@pytest.mark.parametrize(
    "order",
    [
        "assistant user assistant",
        "user assistant user",
        "user user assistant",
        "user system user assistant",
        "assistant assistant",
        "user",
    ],
)
def test_rows_whose_turns_are_out_of_order(order):
    assert order in {roles(messages) for messages in conversations("chats.jsonl")}


def test_a_row_with_an_empty_answer_and_a_record_without_a_question():
    assert any(messages[-1]["content"] == "" for messages in conversations("chats.jsonl"))
    assert any(question == "" for question, _ in pairs("garden.csv"))


@pytest.mark.parametrize(
    "pattern",
    [
        r"[\w.]+@example\.org",
        r"\+1 \(555\)",
        r"\b203\.0\.113\.\d+",
        r"\b4111 1111 1111 1111\b",
        "<\N{FULLWIDTH VERTICAL LINE}User",
    ],
)
def test_personal_data_and_a_control_token(pattern):
    assert any(re.search(pattern, turn["content"]) for m in conversations("chats.jsonl") for turn in m)


@pytest.mark.parametrize("words", ["Wie lange muss ein Ei kochen", "Pourquoi le ciel devient-il rouge"])
def test_rows_that_are_not_english(words):
    assert words in read("chats.jsonl").decode()


@pytest.mark.parametrize(
    ("name", "other", "count"),
    [("letters.jsonl.gz", "chats.jsonl", 5), ("farm.jsonl.zst", "garden.csv", 3)],
)
def test_exact_copies_in_another_file(name, other, count):
    assert len(set(pairs(name)) & set(pairs(other))) == count


@pytest.mark.parametrize("name", ["instructions.json", "garden.csv"])
def test_exact_copies_in_one_file(name):
    assert len(pairs(name)) - len(set(pairs(name))) == 2


@pytest.mark.parametrize(
    ("name", "other", "count"),
    [("letters.jsonl.gz", "chats.jsonl", 3), ("farm.jsonl.zst", "garden.csv", 7)],
)
def test_near_copies_are_at_least_0_8_similar(name, other, count):
    assert similar(name, other, 0.8) == count


def test_one_copy_is_just_too_different():
    assert similar("farm.jsonl.zst", "garden.csv", 0.6, 0.8) == 1


def calls() -> list[dict]:
    return [c for m in conversations("agent.jsonl") for turn in m for c in turn.get("tool_calls") or []]


def arguments(name: str) -> list[str]:
    return [c["function"]["arguments"] for c in calls() if "function" in c and c["function"]["name"] == name]


def test_all_six_tools_are_called():
    names = {c["function"]["name"] for c in calls() if "function" in c}
    assert names >= {"bash", "remote_bash", "remote_bash_all", "list_agents", "think", "complete"}


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("shell", '{"command": "uname -r"}'),
        ("bash", '{"command": "ps -o etime= -C pump'),
        ("remote_bash", '{"command": "Restart-Service scale"}'),
        ("list_agents", '{"all": true}'),
        ("bash", "{'command': 'uptime -p'}"),
        ("bash", '{"command": "nproc",}'),
        ("bash", '{"arguments": {"command": "echo $SHELL"}}'),
    ],
)
def test_broken_tool_calls(tool, given):
    assert given in arguments(tool)


def test_a_bash_command_that_does_not_end_and_an_argument_of_the_wrong_type():
    assert any("for f in *.txt; do" in given and "done" not in given for given in arguments("bash"))
    assert any('"timeout_s": "soon"' in given for given in arguments("bash"))


def test_calls_and_results_that_do_not_meet():
    unanswered = orphans = repeated = flat = 0
    for messages in conversations("agent.jsonl"):
        made = [c for turn in messages for c in turn.get("tool_calls") or []]
        results = [turn.get("tool_call_id") for turn in messages if turn["role"] == "tool"]
        ids = [c.get("id") for c in made]
        flat += any("function" not in c for c in made)
        repeated += len(set(ids)) < len(ids)
        orphans += any(i is not None and i not in ids for i in results)
        silent = {"think", "complete"}
        unanswered += any(
            c.get("id") not in results and c["function"]["name"] not in silent
            for c in made
            if "function" in c
        )
    assert (unanswered, orphans, repeated, flat) == (1, 1, 1, 1)


def test_each_prompt_stands_under_two_system_prompts_with_different_answers():
    rows = conversations("contexts.jsonl")
    systems: dict[str, set[str]] = {}
    answers: dict[str, set[str]] = {}
    for messages in rows:
        prompt = messages[1]["content"]
        systems.setdefault(prompt, set()).add(messages[0]["content"])
        answers.setdefault(prompt, set()).add(json.dumps(messages[2:]))
    assert all(len(found) == 2 for found in [*systems.values(), *answers.values()])
    assert len(rows) == 2 * len(systems) >= 24


def test_one_playthrough_is_longer_than_a_context():
    words = {
        file.name: len(file.read_text(encoding="utf-8").split()) for file in (DEMO / "adventures").iterdir()
    }
    assert words["tower.txt"] > 1_600
    assert all(
        re.search(r"^> ", f.read_text(encoding="utf-8"), re.M) for f in (DEMO / "adventures").iterdir()
    )


def test_the_herbal_gives_four_questions_a_plant_and_its_receipts():
    source = Source(uri="herbal.txt", reader="herbal", group="apothecary", book="The Cottage Herbal")
    rows = herbal.rows(read("herbal.txt").decode(), source, file="herbal.txt")
    assert len(rows) == 26 * 4 + 3
    assert len({row.messages[0]["content"] for row in rows}) == len(rows)
    assert all("Cottage Herbal, “" in row.messages[1]["content"] for row in rows)
    assert not any("patience" in row.messages[1]["content"] for row in rows)
