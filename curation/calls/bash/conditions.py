"""Conditions between [[ and ]]: their own operators, and patterns in which brackets and bars stand bare."""

import re

from curation.calls.bash.words import Words

_UNARY = re.compile(r"-[a-hknoprstuvwxzGLNORS]")
_BINARY = re.compile(r"==?|!=|-(?:nt|ot|ef|eq|ne|lt|le|gt|ge)")


class Conditions(Words):
    """Words, and conditions of words."""

    def condition(self) -> None:
        """From behind [[ to behind ]]."""
        self._terms()
        self.needs_word("]]")

    def _terms(self) -> None:
        self._term()
        while self.takes("||") or self.takes("&&"):
            self._term()

    def _term(self) -> None:
        self.newlines()
        start = self.at
        if self.takes("("):
            self.enter()
            self._terms()
            self.needs(")")
            self.leave()
            self.newlines()
            return
        word = self.needed_word()
        if word == "]]":
            self.refuse(start)
        if word == "!":
            self.enter()
            self._term()
            self.leave()
        elif _UNARY.fullmatch(word):
            self._operand()
        else:
            self.blanks()
            if not (self.sees("&|)") or self.reserved() == "]]"):
                self._comparison()

    def _comparison(self) -> None:
        start = self.at
        if self.takes("<") or self.takes(">"):
            self._operand()
            return
        operator = self.needed_word()
        if operator != "=~" and not _BINARY.fullmatch(operator):
            self.refuse(start)
        self._operand(is_pattern=operator == "=~")

    def _operand(self, *, is_pattern: bool = False) -> None:
        self.blanks()
        start = self.at
        if self.word(is_pattern=is_pattern) in (None, "]]"):
            self.refuse(start)
        self.newlines()
