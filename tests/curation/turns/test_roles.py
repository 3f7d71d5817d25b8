"""One table of roles: whoever reads a spelling means the same by it."""

import json
from collections import Counter

import pytest

from curation.jobs.first.guess import guess
from curation.readers.messages.kernel import _ROLES
from curation.row import frame, message
from curation.stages.chat import chat
from curation.turns.chat_api import decode_turns, row_of_turns
from curation.turns.order import PlacedTurn, name_roles
from curation.turns.roles import ALIASES, ROLES, role_of, spellings

CALL = {"id": "c1", "name": "look", "arguments": "{}"}


@pytest.mark.parametrize("spelling", [*ROLES, *ALIASES])
def test_a_reader_and_the_chat_stage_name_a_role_alike(spelling):
    read = row_of_turns(decode_turns(json.dumps([{"role": spelling, "content": "x"}]).encode()), None)
    repairs = Counter()
    calling = message("assistant", None, tool_calls=[CALL])
    named = name_roles([PlacedTurn(0, calling), PlacedTurn(1, message(spelling, "x"))], repairs)
    assert named[1].role == read.messages[0]["role"] == role_of(spelling)
    assert repairs["role_alias"] == (spelling not in ROLES)


@pytest.mark.parametrize("spelling", sorted(spellings("tool") - {"tool"}))
def test_another_name_of_a_tool_is_a_role_only_where_a_result_can_stand(spelling):
    _, dropped = chat(frame([[message("user", "q"), message(spelling, "r"), message("assistant", "a")]]))
    assert dropped["reason"].to_list() == ["bad_role"]


def test_every_alias_means_a_role_and_is_none():
    assert set(ALIASES.values()) <= set(ROLES)
    assert not ALIASES.keys() & set(ROLES)
    assert {name for role in ROLES for name in spellings(role)} == {*ROLES, *ALIASES}


def test_the_compiled_reader_takes_the_four_roles():
    assert [length for _, length in _ROLES] == [len(role) for role in ROLES]


def test_a_speaker_called_human_is_guessed_to_be_the_user(tmp_path):
    turns = [{"speaker": name, "text": name} for name in ("Gpt", "Human", "Gpt")]
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps({"talk": turns, "n": n}) + "\n" for n in range(3)))
    assert guess(path).settings["map"]["roles"] == {"Human": "user", "Gpt": "assistant"}
