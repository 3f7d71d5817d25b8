"""How bash reads a word: quotes, substitutions, brackets, arrays, and the blanks between words.

Left unread, as bash leaves it until it runs: what stands in backquotes and in arithmetic.
"""

import re
from typing import NoReturn

_ENDS_WORD = re.compile(r"[ \t\n|&;()]|[<>](?!\()|\\?\Z|\\\n")
_RESERVED = re.compile(
    r"(?:if|then|elif|else|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc|\[\[|\]\]|[{}!])"
    rf"(?={_ENDS_WORD.pattern})"
)
_BLANKS = re.compile(r"(?:[ \t]|\\(?:\n|\Z))*+(?:#[^\n]*+)?")
_RUN = re.compile(r"[^ \t\n|&;()<>'\"`$\\=\[?*+@!]++")
_IN_DOUBLE_QUOTES = re.compile(r"[^\"\\`$]++")
_IN_BRACKETS = re.compile(r"[^\\'\"`$<>()\[\]{}]++")
_BACKQUOTES = re.compile(r"`(?:[^`\\]|\\.)*+`", re.DOTALL)
_SINGLE_QUOTES = re.compile(r"'[^']*+'")
_DOLLAR_QUOTES = re.compile(r"\$'(?:[^'\\]|\\.)*+'", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*+", re.ASCII)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*+(?:\[.*\])?\+?", re.ASCII | re.DOTALL)
_CLOSING = {"(": ")", "[": "]", "{": "}"}

# Far more than anybody writes, and than any text takes that is gone through once: so that none costs more
# than its length is worth.
_MAX_DEPTH = 50
_STEPS = 2_000
_STEPS_PER_CHARACTER = 50


class NotBash(Exception):
    """Where a text stops being bash, and what is missing there, if that is known."""

    def __init__(self, at: int, missing: str | None = None) -> None:
        super().__init__(at, missing)
        self.at = at
        self.missing = missing


class Words:
    """Goes through a text, word by word; `at` is where it stands. Raises NotBash."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._depth = 0
        self._steps = _STEPS + _STEPS_PER_CHARACTER * len(text)

    def substitution(self) -> None:
        """Reads `$(…)`, `<(…)` or `>(…)`, the commands inside included."""
        raise NotImplementedError

    def word(self, *, opens: bool = False, declares: bool = False, is_pattern: bool = False) -> str | None:
        """The word that begins here, as written; None if none does.

        opens: no word stands before it but assignments. declares: an array may be assigned in it, as behind
        `declare`. is_pattern: it stands behind `=~`.
        """
        text, start = self.text, self.at
        may_have_subscript, may_assign = opens, opens or declares
        while self.at < len(text):
            self.step()
            if run := _RUN.match(text, self.at):
                self.at = run.end()
                continue
            character, following = text[self.at], text[self.at + 1 : self.at + 2]
            if character in " \t\n|&;()":
                if is_pattern and character == "(":
                    self.brackets()
                    continue
                if not is_pattern or character != "|":
                    break
            elif character in "<>":
                if following != "(":
                    break
                self.substitution()
                continue
            elif character in "'\"`$\\":
                self._quoted()
                continue
            elif character in "?*+@!" and following == "(":
                # An extended pattern, as `shopt -s extglob` allows it; at the front `! (…)` or `name+() …`.
                if opens and ((character == "!" and self.at == start) or text.startswith("()", self.at + 1)):
                    self.at += 1
                    break
                self.at += 1
                self.brackets()
                continue
            elif character == "[" and may_have_subscript:
                may_have_subscript = False
                if _NAME.fullmatch(text, start, self.at):
                    self.brackets()
                    continue
            elif character == "=" and may_assign:
                may_assign = False
                if following == "(" and _ASSIGNED.fullmatch(text, start, self.at):
                    self.at += 1
                    self._array()
                    continue
            self.at += 1
        return text[start : self.at] if self.at > start else None

    def brackets(self) -> None:
        """From an opening bracket to where it closes, over quotes, substitutions and brackets of its kind."""
        text, start = self.text, self.at
        opening, closing = text[start], _CLOSING[text[start]]
        self.enter()
        self.at += 1
        open_count = 1
        while self.at < len(text):
            self.step()
            if run := _IN_BRACKETS.match(text, self.at):
                self.at = run.end()
                continue
            character = text[self.at]
            if character in "'\"`$\\":
                self._quoted()
            elif character in "<>" and opening != "(" and text.startswith("(", self.at + 1):
                self.substitution()
            else:
                self.at += 1
                # A brace inside `${…}` is a character like any other.
                open_count += (character == opening and opening != "{") - (character == closing)
                if not open_count:
                    self.leave()
                    return
        self.refuse(start, closing)

    def _array(self) -> None:
        """`(…)` behind `name=`."""
        start = self.at
        self.enter()
        self.at += 1
        self.newlines()
        while not self.takes(")"):
            if self.text.startswith("[", self.at):
                self.brackets()
            elif self.word() is None:
                self.refuse_or_miss(")", start)
            self.newlines()
        self.leave()

    def _quoted(self) -> None:
        """A backslash, quotes or a dollar sign, with what belongs to it."""
        text, start = self.text, self.at
        character, following = text[start], text[start + 1 : start + 2]
        if character == "\\":
            self.at = min(start + 2, len(text))
        elif character == "'":
            self._all_of(_SINGLE_QUOTES, "'")
        elif character == "`":
            self._all_of(_BACKQUOTES, "`")
        elif character == '"':
            self._double_quotes()
        elif following == "'":
            self._all_of(_DOLLAR_QUOTES, "'")
        elif following == '"':
            self.at += 1
            self._double_quotes()
        else:
            self._dollar(following)

    def _dollar(self, following: str) -> None:
        if following == "(" and not self.text.startswith("((", self.at + 1):
            self.substitution()
        elif following and following in "({[":
            self.at += 1
            self.brackets()
        else:
            self.at += 2 if following == "$" else 1

    def _double_quotes(self) -> None:
        text, start = self.text, self.at
        self.enter()
        self.at += 1
        while self.at < len(text):
            self.step()
            if run := _IN_DOUBLE_QUOTES.match(text, self.at):
                self.at = run.end()
                continue
            character = text[self.at]
            if character == '"':
                self.at += 1
                self.leave()
                return
            if character == "$":
                self._dollar(text[self.at + 1 : self.at + 2])
            else:
                self._quoted()
        self.refuse(start, '"')

    def _all_of(self, quotes: re.Pattern[str], closing: str) -> None:
        found = quotes.match(self.text, self.at)
        if found is None:
            self.refuse(missing=closing)
        self.at = found.end()

    # Between words

    def blanks(self) -> None:
        """Reads blanks, joined lines and a comment."""
        found = _BLANKS.match(self.text, self.at)
        if found is not None:
            self.at = found.end()

    def newlines(self) -> None:
        """Reads blanks and line ends, and what stands behind a line."""
        raise NotImplementedError

    def sees(self, characters: str) -> bool:
        """Whether one of these stands here."""
        return self.at < len(self.text) and self.text[self.at] in characters

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def takes(self, operator: str, *, but: str | tuple[str, ...] = ()) -> bool:
        """Reads an operator if it stands here, behind blanks, and is not the beginning of another."""
        self.blanks()
        if not self.text.startswith(operator, self.at) or self.text.startswith(but, self.at):
            return False
        self.at += len(operator)
        return True

    def needs(self, operator: str) -> None:
        """Reads an operator that must stand here."""
        if not self.takes(operator):
            self.refuse(missing=operator)

    def needed_word(self) -> str:
        """The word that must begin here, behind blanks."""
        self.blanks()
        word = self.word()
        if word is None:
            self.refuse()
        return word

    def reserved(self) -> str | None:
        """The reserved word that stands here, which is not read yet."""
        self.blanks()
        self.step()
        found = _RESERVED.match(self.text, self.at)
        return None if found is None else found[0]

    def takes_word(self, word: str) -> bool:
        """Reads a word if it stands here alone."""
        self.blanks()
        end = self.at + len(word)
        if not self.text.startswith(word, self.at) or not _ENDS_WORD.match(self.text, end):
            return False
        self.at = end
        return True

    def needs_word(self, word: str) -> None:
        """Reads a word that must stand here alone."""
        if not self.takes_word(word):
            self.refuse(missing=word)

    # Bounds and errors

    def enter(self) -> None:
        """One construct deeper."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.refuse()

    def leave(self) -> None:
        """Back out of it."""
        self._depth -= 1

    def step(self) -> None:
        """One step further."""
        self._steps -= 1
        if self._steps < 0:
            self.refuse()

    def refuse(self, at: int | None = None, missing: str | None = None) -> NoReturn:
        """It is no bash: here, or where a construct began that lacks its end."""
        raise NotBash(self.at if at is None else at, missing)

    def refuse_or_miss(self, closing: str, start: int) -> NoReturn:
        """What stands here is not the end of a construct; at the end of the text, the construct has none."""
        if self.is_at_end():
            self.refuse(start, closing)
        self.refuse()
