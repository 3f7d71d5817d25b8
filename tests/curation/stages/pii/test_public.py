"""public: what a recipe says is public stays as it is written, and nothing else does."""

import pytest

from curation.recipe.kinds import as_stored
from curation.recipe.stages import Pii
from curation.row import decode, frame, message
from curation.stages.pii.stage import pii

TEXT = "ana@firma.example bob@x.firma.example eva@other.example +1-800-273-8255 call 030 123456, 203.0.113.7"


def masked(text: str, *keep: str) -> str:
    kept = pii(frame([[message("user", text)]]), keep=keep).kept
    return decode(kept["messages"][0])[0]["content"]


@pytest.mark.parametrize(
    ("keep", "stays"),
    [
        ("Ana@Firma.example", ["ana@firma.example"]),
        ("firma.example", ["ana@firma.example", "bob@x.firma.example"]),
        ("@x.firma.example", ["bob@x.firma.example"]),
        ("*@other.example", ["eva@other.example"]),
        ("+1 (800) 273 8255", ["+1-800-273-8255"]),
        ("030123*", ["030 123456"]),
        ("030/123456", ["030 123456"]),
        ("203.0.113.7", ["203.0.113.7"]),
        ("203.0.113.0/24", ["203.0.113.7"]),
        ("203.0.114.0/24", []),
        ("irma.example", []),
        ("0301234567", []),
    ],
)
def test_what_an_entry_keeps(keep, stays):
    words = ["ana@firma.example", "bob@x.firma.example", "eva@other.example", "+1-800-273-8255", "030 123456"]
    now = masked(TEXT, keep)
    assert [word for word in [*words, "203.0.113.7"] if word in now] == stays


def test_a_kept_value_is_not_counted_and_drops_no_row():
    rows = frame([[message("user", "write to ana@firma.example or bob@other.example")]])
    assert pii(rows, keep=["firma.example"]).counts == {"found": 1, "email": 1}
    assert pii(rows, keep=["firma.example", "*@other.example"], action="drop").dropped.is_empty()


def test_secrets_and_numbers_in_arguments_stay_where_they_are_kept():
    secret = "q7Zp29xLmT4vB8nK1sWy"
    arguments = f'{{"api_key": "{secret}", "card": 4111111111111111}}'
    row = [message("assistant", tool_calls=[{"id": "1", "name": "pay", "arguments": arguments}])]
    kept = pii(frame([row]), keep=[secret, "4111 1111 1111 1111"]).kept
    assert decode(kept["messages"][0])[0]["tool_calls"][0]["arguments"] == arguments


def test_without_entries_all_is_masked():
    assert masked(TEXT) == "[EMAIL_1] [EMAIL_2] [EMAIL_3] [PHONE_1] call [PHONE_2], [IP_1]"


def test_older_recipes_keep_their_digests():
    assert "keep" not in as_stored(Pii())
    assert as_stored(Pii(keep=["firma.example"]))["keep"] == ["firma.example"]
