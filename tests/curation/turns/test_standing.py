"""Which texts calls ask for, and whether somebody said them."""

import json

from curation.row import message
from curation.turns.standing import missing, said, stands, text_arguments


def call(arguments: str, content: str | None = None) -> dict:
    return message("assistant", content, tool_calls=[{"id": "c1", "name": "book", "arguments": arguments}])


def test_text_arguments_are_strings_at_any_depth_but_choices_numbers_and_short_ones():
    asked = {
        "town": "Old  Bergen",
        "for": [{"who": "Ida", "seats": 12}],
        "sure": "True",
        "n": "2",
        "to": None,
    }
    assert text_arguments(call(json.dumps(asked))) == {"old bergen", "ida"}
    assert text_arguments(call("{not JSON")) == set()
    assert text_arguments(message("user", "Bergen")) == set()


def test_case_and_white_space_make_no_difference():
    heard = said([message("user", "To OLD\n Bergen, for Ida")])
    assert missing(call('{"town":"old bergen","who":"Ida","by":"train"}'), heard) == {"train"}


def test_what_the_turn_says_before_it_calls_and_what_was_called_with_before_count():
    assert missing(call('{"town":"Bergen"}', "Off to Bergen!"), []) == set()
    assert missing(call('{"town":"Bergen"}'), said([call('{"from":"Bergen"}')])) == set()
    assert stands("bergen", said([message("tool", '["Bergen"]')]))
