from curation.row import encode, message
from curation.turns.prose import prose


def test_every_turn_counts_up_to_its_first_400_characters():
    said = [message("user", "a" * 5000), message("assistant", "b" * 5000)]
    assert prose(encode(said)) == "a" * 400 + "\n" + "b" * 400
