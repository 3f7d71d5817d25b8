"""Every folder of the real corpus is read: as many rows as its README counts, and how many fit."""

import json

import msgspec
import polars as pl
import pytest

from curation.readers.reading import chunks, list_files, read
from curation.recipe.source import Source
from curation.row import decode
from curation.turns.roles import ROLES

pytestmark = pytest.mark.corpus

APIBENCH = {
    "###Instruction:": "user",
    "### Instruction:": "user",
    "{'Instruction': ": "user",
    "###Output:": "assistant",
    "### Output:": "assistant",
    ", 'Output': ": "assistant",
}
ARENA = {"turns": "choices.0.turns", "roles": {"*": "assistant"}, "join": "question_id", "prompts": "turns"}
OS_TASKS = {"question": "description", "answer": "evaluation.example"}


def turns(key, role, content, **roles):
    return {"turns": key, "role": role, "content": content, "roles": roles}


CASINO = turns("chat_logs", "id", "text", mturk_agent_1="user", mturk_agent_2="assistant")
CRD3 = turns("TURNS", "NAMES", "UTTERANCES", **{"MATT": "assistant", "*": "user"})
SGD = turns("turns", "speaker", "utterance", USER="user", SYSTEM="assistant")
TASKMASTER = turns("utterances", "speaker", "text", user="user", assistant="assistant")

# uri, reader, settings, rows read, rows that are unreadable
FOLDERS = [
    ("agentbench_os", "qa", {"columns": OS_TASKS, "action": "bash"}, 1000, 0),
    ("agri_qa_instruct", "alpaca", {}, 5916, 0),
    ("agri_qa_kisanvaani", "qa", {}, 22_615, 0),
    ("aj_context_switching/context_switching.jsonl", "messages", {}, 999, 0),
    ("aj_context_switching/trajectory_examples.jsonl", "trajectory", {}, 3, 0),
    ("alpaca_en", "alpaca", {}, 52_002, 0),
    ("alpaca_eval_outputs", "alpaca", {}, 40_248, 0),
    ("alpaca_zh", "alpaca", {}, 27_758, 1),
    ("apibench", "map", {"map": {"text": "code", "roles": APIBENCH}}, 2622, 0),
    ("arena_hard/gpt-*", "map", {"answers": "question.jsonl", "map": ARENA}, 1500, 0),
    # The README counts the ten lines of format_sensitivity, which is one object and no conversation.
    # Of web search and memory the answers are there, but not the calls that found them.
    ("bfcl/BFCL_v4_[!f]*", "bfcl", {"answers": "possible_answer"}, 4706 - 10, 255),
    ("casino", "map", {"map": CASINO}, 1030, 0),
    ("crd3", "map", {"map": CRD3}, 100, 0),
    ("derived_openai_tools", "messages", {}, 3995, 0),
    ("derived_ultrachat_shape", "messages", {}, 5074, 0),
    ("derived_wildchat_shape", "wildchat", {}, 24_683, 0),
    ("farm_qna_csv", "qa", {}, 7298, 0),
    ("glaive_demo", "sharegpt", {}, 600, 0),
    ("gpteacher_roleplay", "alpaca", {}, 1923, 0),
    ("gpteacher_toolformer", "alpaca", {}, 7673, 0),
    ("halueval_general", "qa", {}, 4507, 0),
    ("if_walkthroughs", "adventure", {}, 40, 0),
    # Twelve rows are whole files of settings or of runs keyed by number, not runs.
    ("intercode/*.zst", "trajectory", {"action": "text"}, 8190, 12),
    ("nl2bash/all.nl", "lines", {"answers": "all.cm", "action": "bash"}, 12_607, 0),
    ("open_adventure", "adventure", {}, 70, 0),
    ("sgd/*.zst", "map", {"map": SGD}, 12_174, 0),
    ("swe_agent_traj", "messages", {}, 19, 0),
    ("taskmaster4", "map", {"map": TASKMASTER}, 3710, 0),
    ("tau_bench/gpt*", "messages", {}, 200, 0),
]


def everything(corpus, uri, reader, settings):
    source = msgspec.convert({"uri": uri, "reader": reader, "group": "g", **settings}, Source)
    paths = list_files(source, corpus, name="s")
    return pl.concat([f for p in paths for c in chunks(p, source) for f in read(c, source, file=p.name)])


@pytest.mark.parametrize(
    ("uri", "reader", "settings", "rows", "unreadable"), FOLDERS, ids=lambda value: str(value)[:30]
)
def test_a_folder_reads_whole(corpus, uri, reader, settings, rows, unreadable):
    found = everything(corpus, uri, reader, settings)
    assert (found.height, found["reason"].drop_nulls().len()) == (rows, unreadable)
    for text in found["messages"].drop_nulls().head(200):
        messages = decode(text)
        assert messages
        assert {message["role"] for message in messages} <= set(ROLES)


def test_the_control_character_lines_of_the_aj_set_are_repaired(corpus):
    found = everything(corpus, "aj_context_switching/context_switching.jsonl", "messages", {})
    assert [json.loads(note)["repair"] for note in found["notes"].drop_nulls()] == ["control_character"] * 5
    assert not found["messages"].str.contains("\ufeff").any()


def test_tool_calls_of_the_corpus_keep_their_number(corpus):
    for uri, reader, settings, calls in (
        ("tau_bench/gpt*", "messages", {}, 1164),
        ("bfcl/BFCL_v4_parallel.json", "bfcl", {"answers": "possible_answer"}, 540),
    ):
        found = everything(corpus, uri, reader, settings)
        made = [m for text in found["messages"] for m in decode(text) if m["tool_calls"]]
        assert sum(len(message["tool_calls"]) for message in made) == calls, uri


def test_a_filter_on_columns_leaves_the_rest_accounted_for(corpus):
    found = everything(corpus, "intercode/*.zst", "trajectory", {"where": {"environment": "ic_bash"}})
    counts = dict(found["reason"].value_counts().iter_rows())
    # Twenty runs hold a sentence, or a command that breaks off, where a command should be.
    assert counts == {None: 587, "foreign_action": 20, "filtered": 7571, "unreadable": 12}
