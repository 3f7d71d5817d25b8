import pytest
from shapes import read, said

from curation.readers import adventure
from curation.turns.shape import Unfit

TRANSCRIPT = "\nWelcome!\n\n> n\n\nA road.\n  A map\n\n> \nTime passes.\n\n> in\n\n>>Foof!<<\n"
WALKTHROUGH = """===========
==>STEP NUM: 0
==>ACT: Init
==>OBSERVATION: The phone rings.

===========
==>STEP NUM: 1
==>ACT: answer phone
==>OBSERVATION: "Hadley!"

===========
"""


def test_a_transcript_with_the_player_as_assistant():
    assert said(adventure.conversation(TRANSCRIPT, player="assistant")) == [
        ("user", "Welcome!"),
        ("assistant", "n"),
        ("user", "A road.\n  A map\n\nTime passes."),
        ("assistant", "in"),
        ("user", ">>Foof!<<"),
    ]


def test_a_transcript_with_the_player_as_user_opens_with_a_system_prompt():
    roles = [role for role, _ in said(adventure.conversation(TRANSCRIPT, player="user"))]
    assert roles == ["system", "user", "assistant", "user", "assistant"]


def test_a_walkthrough_of_acts_and_observations():
    row = adventure.conversation(WALKTHROUGH.replace("\n", "\r\n"), player="assistant")
    assert said(row) == [("user", "The phone rings."), ("assistant", "answer phone"), ("user", '"Hadley!"')]


def test_what_a_game_says_at_an_empty_prompt_goes_to_the_move_before():
    more = "==>STEP NUM: 2\n==>ACT: \n==>OBSERVATION: It rings again.\n"
    row = adventure.conversation(WALKTHROUGH + more, player="assistant")
    assert said(row)[-1] == ("user", '"Hadley!"\n\nIt rings again.')


def test_a_playthrough_in_a_text_column():
    assert said(read("adventure", {"text": TRANSCRIPT}))[1] == ("assistant", "n")


def test_a_text_without_commands_is_no_adventure():
    with pytest.raises(Unfit, match="no '> command' lines and no ==>ACT:"):
        adventure.conversation("Once upon a time.", player="user")
