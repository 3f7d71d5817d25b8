"""Characters that show nothing: they go, but for those that change how what stands beside them looks.

These are the characters that Unicode calls default ignorable, and the marks around annotations. What stays:

- joiners between emoji, and beside letters of scripts that shape their letters, also between a word in
  Latin letters and a Persian ending
- the variation selector of an emoji, of an ideograph and of the few signs that have variants: one each
- the tags of a flag of a part of the United Kingdom, the United States or Canada
- variation selectors and the vowel separator of Mongolian, after its letters
- zero-width spaces in Thai, Lao, Myanmar and Khmer, where they part words
- the fillers of a Hangul syllable that lacks a part
- the grapheme joiner before an accent, and the controls of music and shorthand beside their signs
- one direction mark at a time, in a text with letters that are written from right to left

Soft hyphens go: they are a layout's hint where a word may be broken. A filler that shows a blank
(U+3164, U+FFA0) goes as Unicode's own folding has it.
"""

import re
from collections import Counter

# For Rust's regex as for Python's.
HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
BRAILLE_BLANK = "\u2800"

_DIRECTION = "\u061c\u200e\u200f"
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u24ff\u25a0-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Arrows and mathematics, East Asian punctuation, Myanmar, Phags-pa, Manichaean, hieroglyphs.
_VARIED = (
    "\u2190-\u24ff\u25a0-\u2bff\u3001-\u303f\uff00-\uff60\u1000-\u109f\uaa60-\uaa7f\ua840-\ua877"
    "\U00010ac0-\U00010aff\U00013000-\U0001345f"
)
# Hangul jamo are left out on purpose: they compose, and what follows them must not depend on when.
_INDIC = "\u0900-\u109f\u1700-\u17ff\u1820-\u1cff\ua800-\ua95f\ua980-\uabff\U00011000-\U00011fff"
_ARABIC = (
    "\u0590-\u061b\u061d-\u08ff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00010a5f\U00010ac0-\U00010fff"
    "\U0001e900-\U0001e95f"
)
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_ACCENTS = "\u0300-\u034e\u0350-\u036f\u0591-\u05c7"


def _tags(word: str) -> str:
    """A pattern of Latin letters, spelt with tags."""
    return re.sub("[a-z]", lambda letter: chr(0xE0000 + ord(letter.group())), word)


_FLAG = _tags("(?:gb(?:eng|nir|sct|wls)|(?:us|ca)[a-z]{2})") + "\U000e007f"
_REST = f"[{HIDDEN}]*+"  # of a run, of which the first may stay
_STAYS = re.compile(
    f"(?<=\U0001f3f4){_FLAG}"
    f"|(?<=[{_EMOJI}])[\ufe0e\ufe0f]|(?<=[#*0-9])[\ufe0e\ufe0f](?=\u20e3)"
    f"|(?<=[{_EMOJI}\ufe0f])\u200d(?={_REST}[{_EMOJI}])"
    f"|(?<=[{_IDEOGRAPHS}])[\ufe00-\ufe02\U000e0100-\U000e01ef]|(?<=[{_VARIED}])[\ufe00-\ufe06]"
    f"|(?<=[{_INDIC}\u180b-\u180d\u180f])[\u200c\u200d]|(?<=[{_ARABIC}])\u200d|(?<=[{_ARABIC}])\u200c(?={_REST}\\S)"
    f"|(?<=[^\\s{HIDDEN}])\u200c(?={_REST}[{_ARABIC}{_INDIC}])|(?<![{HIDDEN}])\u200d(?={_REST}[{_ARABIC}{_INDIC}])"
    f"|(?<=[{_SPACELESS}])\u200b(?={_REST}\\S)"
    "|(?<=[\u1820-\u18aa])[\u180b-\u180d\u180f]|(?<=[\u180b-\u180d\u180f\u1820-\u18aa])\u180e"
    "|\u115f(?=[\u1161-\u11a7\ud7b0-\ud7c6]|\u1160[\u11a8-\u11ff\ud7cb-\ud7fb])"
    "|(?<=[\u1100-\u115f\ua960-\ua97c])\u1160(?=[\u11a8-\u11ff\ud7cb-\ud7fb])"
    "|(?<=[\u1100-\u115e\ua960-\ua97c])\u1160"
    f"|(?<=[^\\s{HIDDEN}])\u034f(?=[{_ACCENTS}])"
    "|(?<=[\U0001bc00-\U0001bc9f])[\U0001bca0-\U0001bca3]"
    "|(?<=[\U0001d100-\U0001d172\U0001d17b-\U0001d1ff])[\U0001d173-\U0001d17a]"
    "|(?<=[\U0001d173-\U0001d17a])[\U0001d173-\U0001d17a](?=[\U0001d100-\U0001d1ff])"
)
_STAYS_IN_RIGHT_TO_LEFT = re.compile(f"(?<![{_DIRECTION}])[{_DIRECTION}]")
_HIDDEN = re.compile(f"[\U000e0020-\U000e007f]+|[{HIDDEN}]")
_BRAILLE = re.compile("[\u2801-\u28ff]")


def remove_invisible(text: str, changed: Counter[str]) -> str:
    """`text` without them, counted as `invisible`; a Braille blank beside no Braille becomes a space."""
    right_to_left = False

    def judge(match: re.Match[str]) -> str:
        stays = _STAYS.match(text, match.start())
        if stays and stays.end() == match.end():
            return match.group()
        if right_to_left and _STAYS_IN_RIGHT_TO_LEFT.match(text, match.start()):
            return match.group()
        changed["invisible"] += len(match.group())
        return ""

    if BRAILLE_BLANK in text:
        text = "\n".join(_space_braille(line, changed) for line in text.split("\n"))
    if any(mark in text for mark in _DIRECTION):
        right_to_left = bool(_RIGHT_TO_LEFT.search(text))
    return _HIDDEN.sub(judge, text)


def _space_braille(line: str, changed: Counter[str]) -> str:
    if _BRAILLE.search(line):
        return line
    changed["nbsp"] += line.count(BRAILLE_BLANK)
    return line.replace(BRAILLE_BLANK, " ")
