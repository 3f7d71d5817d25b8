"""unsourced: values of calls that stand nowhere before the call are flagged, all others pass."""

import json

import pytest

from curation.recipe.stages import Unsourced
from curation.row import frame, message, read_notes
from curation.stages.seam import Context
from curation.stages.unsourced import STAGE


def flagged(arguments, *said, tools=None):
    """What is flagged of a call with these arguments, the user having said each text."""
    call = {"id": "a", "name": "book", "arguments": json.dumps(arguments)}
    turns = [message("user", text) for text in said] + [message("assistant", tool_calls=[call])]
    turns += [message("tool", "done", tool_call_id="a"), message("assistant", "It is booked.")]
    return keys(turns, tools)


def keys(turns, tools=None):
    rows = frame([turns])
    rows = rows.with_columns(tools=rows["tools"].fill_null(json.dumps(tools))) if tools else rows
    split = STAGE.bind(Unsourced(), Context())(rows)
    assert split.dropped.is_empty()
    assert split.kept["messages"].equals(rows["messages"])
    return [key for note in read_notes(split.kept["notes"][0]) for key in note["keys"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"city": "Zanzibar"}, "A table in Oslo, please."),
        ({"people": 47}, "A table in Oslo for 4, please."),
        ({"day": "2024-03-19"}, "A table on March 8."),
        ({"at": "19:30"}, "A table at 5 pm."),
        ({"flight_number": "HAT0451"}, "Take flight HAT088."),
        ({"guest": {"name": "Otto Blum"}}, "It is for Ida Krag."),
    ],
)
def test_what_nobody_said_is_flagged_with_its_key(arguments, said):
    (key,) = flagged(arguments, said)
    assert key in {*arguments, "name"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"city": "são paulo"}, "A hotel in Sao Paulo!"),
        ({"city": "New York"}, "Something in NYC."),
        ({"city": "Chicago"}, "A house in Chi-town."),
        ({"city": "Washington D.C."}, "Events in DC, please."),
        ({"people": 12}, "A table for twelve."),
        ({"price": 1250.0}, "At most $1,250."),
        ({"months": 360}, "Over 30 years."),
        ({"total": 50000000}, "A payout of 50 million."),
        ({"day": "2024-03-08"}, "On the 8th of March."),
        ({"day": "2024-03-08"}, "On 2024.3.8."),
        ({"day": "2024-03-08"}, "The day after tomorrow."),
        ({"at": "19:30"}, "At half past 7 in the evening."),
        ({"airport": "JFK"}, "From New York."),
        ({"people": 2, "window": True, "note": "A quiet corner"}, "A table, please."),
        ({"location": "纽约"}, "去纽约的航班"),
    ],
)
def test_the_spelling_of_names_numbers_and_dates_does_not_matter(arguments, said):
    assert flagged(arguments, said) == []


def test_a_result_and_the_tools_are_sources_and_so_is_an_offer_that_the_user_saw():
    asked, offer = message("user", "Where?"), message("assistant", "Blue Heron?")
    lookup = {"id": "a", "name": "find", "arguments": "{}"}
    book = {"id": "b", "name": "book", "arguments": '{"place": "Blue Heron"}'}
    found = [message("assistant", tool_calls=[lookup]), message("tool", '["Blue Heron"]', tool_call_id="a")]
    call = message("assistant", tool_calls=[book])
    assert keys([asked, call]) == ["place"]
    assert keys([asked, *found, call]) == []
    assert keys([asked, offer, message("user", "Yes."), call]) == []
    offered = [{"type": "function", "function": {"name": "book", "parameters": {"enum": ["Blue Heron"]}}}]
    assert flagged({"place": "Blue Heron"}, "Where?", tools=offered) == []


def test_what_is_said_after_a_call_is_no_source_of_it():
    call = {"id": "a", "name": "book", "arguments": '{"place": "Blue Heron"}'}
    later = [message("tool", "Blue Heron is full", tool_call_id="a"), message("assistant", "It is full.")]
    assert keys([message("user", "Where?"), message("assistant", tool_calls=[call]), *later]) == ["place"]


def test_the_flag_tells_the_turn_and_the_key_and_never_the_value():
    call = {"id": "a", "name": "book", "arguments": '{"guest": "Ida Krag"}'}
    rows = frame([[message("user", "A table."), message("assistant", tool_calls=[call])]])
    (entry,) = read_notes(STAGE.bind(Unsourced(), Context())(rows).kept["notes"][0])
    assert entry == {"stage": "unsourced", "flag": "unsourced_argument", "turns": [1], "keys": ["guest"]}
