"""The English words that tell what an answer says beyond its content: function words, denials, numbers."""

_FUNCTION = """
    a about above across after again against all also although am among an and any are aren around as at be
    because been before being below between both but by can could d did do does doing done during each either
    else ever every few for from had has have having he her here hers him his how however i if in into is it
    its itself just let like ll m many may me might more most much must my of off often on once one only onto
    or other others our out over own per quite rather re s same shall she should since so some such t than
    that the their theirs them then there therefore these they this those though through thus to too
    typically under until up upon us usually ve very was we were what when where whether which while who
    whom whose why will with within would you your yours include including includes answer sure called known
    like look looking need ok okay please prefer search shall want
"""
_DENIES = """
    not no never cannot cant can't dont don't doesnt doesn't isnt isn't arent aren't wasnt wasn't wont won't
    without neither nor unable avoid prevent stop hardly lack lacks eliminate eliminates
"""
# The parts of isn't and its like are words of their own.
_DENYING = """
    not no never cannot neither nor without unable hardly isn aren wasn weren don doesn didn won wouldn
    couldn shouldn hasn haven hadn mustn
"""
_OPPOSITES = """
    increase decrease, increases decreases, increased decreased, higher lower, high low, more less,
    most least,
    before after, above below, always never, hot cold, warm cool, wet dry, early late, earlier later,
    safe unsafe, possible impossible, legal illegal, harmful harmless, acidic alkaline, positive negative,
    true false, correct incorrect, open closed, male female, edible poisonous, minimum maximum, faster slower,
    larger smaller, longer shorter, rise fall, rises falls, east west, north south, allowed forbidden,
    valid invalid, even odd
"""
_NUMBERS = """
    two 2, three 3, four 4, five 5, six 6, seven 7, eight 8, nine 9, ten 10, eleven 11, twelve 12,
    thirteen 13,
    fourteen 14, fifteen 15, sixteen 16, seventeen 17, eighteen 18, nineteen 19, twenty 20, thirty 30,
    forty 40,
    fifty 50, hundred 100, thousand 1000, million 1000000
"""


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(one, other) for pair in text.split(",") for one, other in [pair.split()]]


FUNCTION_WORDS, DENIES = frozenset(_FUNCTION.split()), frozenset(_DENIES.split())
DENYING = frozenset(_DENYING.split())
OPPOSITES = dict(_pairs(_OPPOSITES)) | {other: one for one, other in _pairs(_OPPOSITES)}
NUMBER_WORDS = dict(_pairs(_NUMBERS))
# Who says so gives no number for certain.
HEDGES = frozenset(
    {"ai", "assuming", "cannot", "depend", "depending", "depends", "difficult", "estimate", "estimated"}
    | {"unable", "unknown", "varies", "vary"}
)
YES = frozenset({"yes", "yeah", "yep", "true", "correct", "right"})
NO = frozenset({"no", "nope", "false", "incorrect", "wrong"})
EMPTY = FUNCTION_WORDS | DENIES | NUMBER_WORDS.keys()
