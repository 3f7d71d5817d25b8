from herbals import asked, body

RECEIPTS = """\
    SAGE.

_Descript._] A grey herb.

_Virtues._] It helps the throat.


SYRUPS.

    _Syrupus Salviæ._
    Or Syrup of Sage.

_College._] Take of the juice of sage a pint, of sugar two pounds, and
boil it to a syrup.

_Culpeper._] It helps the cough.

    _Oil of Roses._

Take red roses, bruise them, and steep them in oil forty days.

    12. _For the Tooth-ache._

Hold a clove between the teeth that ache.

    13. _Another._

Wash the mouth with vinegar wherein sage was boiled.
"""


def test_receipts_are_asked_by_their_english_name():
    questions = [q for q, _ in asked(RECEIPTS)]
    assert sum("Syrup of Sage" in q for q in questions) == 2
    assert sum("Oil of Roses" in q for q in questions) == 1
    assert sum("the Tooth-ache" in q for q in questions) == 2
    assert "other receipt" in questions[-1]


def test_a_receipt_answers_with_its_own_text():
    answers = {q: body(a) for q, a in asked(RECEIPTS)}
    making = next(a for q, a in answers.items() if "Oil of Roses" in q)
    assert making == "Take red roses, bruise them, and steep them in oil forty days."
