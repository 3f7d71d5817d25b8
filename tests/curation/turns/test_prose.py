from curation.row import encode, message
from curation.turns.prose import sides


def test_every_turn_counts_up_to_its_first_400_characters_on_its_own_side():
    said = [message("user", "a" * 5000), message("assistant", "b" * 5000), message("user", "c")]
    assert sides(encode(said)) == ("a" * 400 + "\nc", "b" * 400)


def test_a_side_ends_at_1_000_characters_and_does_not_shorten_the_other():
    said = [message("user", "a" * 400) for _ in range(5)] + [message("assistant", "b")]
    user, assistant = sides(encode(said))
    assert (len(user), assistant) == (1000, "b")


def test_systems_tools_and_code_are_on_nobodys_side():
    said = [
        message("system", "s"),
        message("user", "before ```python\nx = 1\n``` after"),
        message("tool", "t"),
        message("assistant", None),
        message("assistant", "see `x` and https://example.org/a"),
    ]
    user, assistant = sides(encode(said))
    assert (user.split(), assistant.split()) == (["before", "after"], ["see", "and"])
