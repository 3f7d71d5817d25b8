"""The grammar of bash, as `bash -n` has it: lists, pipelines, compound commands, redirections.

Left unread, as bash leaves it until it runs: here-documents, backquotes, arithmetic.
"""

import re
from typing import NamedTuple

from curation.calls.bash.conditions import Conditions
from curation.calls.bash.words import NotBash

_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "in", "}", "]]"})
_REDIRECTION = re.compile(
    r"(?:[0-9]+|\{[A-Za-z_]\w*\})?(<<<|<<-?|<&|<>|<(?!\()|>>|>&|>\||>(?!\())|&>>?", re.ASCII
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[.*\])?\+?=", re.ASCII | re.DOTALL)
# What takes `name=(…)` as an argument.
_DECLARING = frozenset({"alias", "declare", "eval", "export", "let", "local", "readonly", "typeset"})
_CASE_ENDS = (";;", ";&")


class SimpleCommand(NamedTuple):
    """A command of words alone: where it begins, and its words as written, without redirections."""

    at: int
    words: list[str]


def simple_commands(text: str) -> list[SimpleCommand]:
    """The simple commands of a text, in their order. Raises NotBash where it breaks the grammar."""
    grammar = _Grammar(text)
    grammar.script()
    return sorted(grammar.simple_commands)


class _Grammar(Conditions):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.simple_commands: list[SimpleCommand] = []
        self._documents: list[tuple[str, bool]] = []
        self._open_substitutions = 0

    def script(self) -> None:
        self._list()
        if not self.is_at_end():
            self.refuse()

    # Lists and pipelines

    def _list(self) -> bool:
        """Commands up to what begins none; whether there was one."""
        any_found = False
        self.newlines()
        while self._and_or():
            any_found = True
            if not (self.takes(";", but=_CASE_ENDS) or self.takes("&", but="&&") or self.sees("\n")):
                break
            self.newlines()
        return any_found

    def _needed_list(self) -> None:
        if not self._list():
            self.refuse()

    def _and_or(self) -> bool:
        if not self._pipeline():
            return False
        while self.takes("&&") or self.takes("||"):
            self.newlines()
            if not self._pipeline():
                self.refuse()
        return True

    def _pipeline(self) -> bool:
        ends = ""
        while (word := self.reserved()) in ("!", "time"):
            self.at += len(word)
            ends = ";\n"
            if word == "time":
                ends = ";\n)"
                self.takes_word("-p")
                self.takes_word("--")
        if not self._command():
            if ends and not self.sees(ends) and not self.is_at_end():
                self.refuse()
            return bool(ends)
        while self.takes("|&") or self.takes("|", but="||"):
            self.newlines()
            if self.reserved() == "!" or not self._command():
                self.refuse()
        return True

    # Commands

    def _command(self) -> bool:
        """One command; False, and nothing read, where none begins."""
        word = self.reserved()
        if word in _CLOSERS:
            return False
        if self._compound():
            return True
        if word == "function":
            self._function()
            return True
        if word == "coproc":
            self._coprocess()
            return True
        return self._simple()

    def _compound(self) -> bool:
        """A compound command and its redirections; False, and nothing read, where none begins."""
        word, start = self.reserved() or ("(" if self.sees("(") else ""), self.at
        if word not in _COMPOUND:
            return False
        self.enter()
        self.at += len(word)
        try:
            _COMPOUND[word](self)
        except NotBash as error:
            # At the end of the text it shows nothing: what lacks its end is what began here.
            if error.at >= len(self.text):
                self.refuse(start, error.missing)
            raise
        self.leave()
        any_redirected = False
        while self._redirection():
            any_redirected = True
        if any_redirected and not self.is_at_end() and not self.sees("|&;)\n"):
            self.refuse()
        return True

    def _needed_compound(self) -> None:
        if not self._compound():
            self.refuse()

    def _subshell(self) -> None:
        self.at -= 1
        if not self._arithmetic():
            self.at += 1
            self._needed_list()
            self.needs(")")

    def _arithmetic(self) -> bool:
        """`((…))` if it stands here; else False, and nothing read."""
        start = self.at
        if self.text.startswith("((", start):
            self.at += 1
            self.brackets()
            if self.sees(")"):
                self.at += 1
                return True
            self.at = start
        return False

    def _group(self) -> None:
        self._needed_list()
        self.needs_word("}")

    def _if(self) -> None:
        self._condition_and_then()
        while self.takes_word("elif"):
            self._condition_and_then()
        if self.takes_word("else"):
            self._needed_list()
        self.needs_word("fi")

    def _condition_and_then(self) -> None:
        self._needed_list()
        self.needs_word("then")
        self._needed_list()

    def _while(self) -> None:
        self._needed_list()
        self._loop_body()

    def _for(self) -> None:
        self.blanks()
        start = self.at
        if not self._arithmetic():
            self._select()
            return
        if self.text.count(";", start, self.at) != 2:
            self.refuse(start)
        self.takes(";", but=_CASE_ENDS)
        self.newlines()
        self._loop_body()

    def _select(self) -> None:
        """A loop over words: behind `for`, or `select`."""
        self.needed_word()
        if not self.takes(";", but=_CASE_ENDS):
            self.newlines()
            if self.takes_word("in"):
                self.blanks()
                while self.word() is not None:
                    self.blanks()
                if not self.takes(";", but=_CASE_ENDS) and not self.sees("\n"):
                    self.refuse()
        self.newlines()
        self._loop_body()

    def _loop_body(self) -> None:
        if self.takes_word("{"):
            self._group()
        else:
            self.needs_word("do")
            self._needed_list()
            self.needs_word("done")

    def _case(self) -> None:
        self.needed_word()
        self.newlines()
        self.needs_word("in")
        self.newlines()
        while not self.takes_word("esac"):
            self.takes("(")
            self.needed_word()
            while self.takes("|"):
                self.needed_word()
            self.needs(")")
            self._list()
            if not (self.takes(";;&") or self.takes(";;") or self.takes(";&")):
                self.needs_word("esac")
                return
            self.newlines()

    def _function(self) -> None:
        self.at += len("function")
        self.needed_word()
        start = self.at
        if self.takes("(") and not self.takes(")"):
            self.at = start
        self.newlines()
        self._needed_compound()

    def _coprocess(self) -> None:
        self.at += len("coproc")
        if self._compound():
            return
        start = self._before_a_word()
        if self.word() is not None and self._compound():
            return
        self._before_a_word()
        self.at = start
        if not self._simple():
            self.refuse()

    def _before_a_word(self) -> int:
        """Where it stands. What opens no command is no word behind `coproc`, but for `time`."""
        if self.reserved() not in (None, "time"):
            self.refuse()
        return self.at

    def _simple(self) -> bool:
        """Words, assignments and redirections; or a function, `name() …`."""
        self.blanks()
        start, words, opens, declares = self.at, list[str](), True, False
        while True:
            if self._redirection():
                opens = opens and not words
                continue
            at = self.at
            word = self.word(opens=opens, declares=declares)
            if word is None:
                break
            if at == start and not _ASSIGNMENT.match(word) and self.takes("("):
                self.needs(")")
                self.newlines()
                self._needed_compound()
                return True
            words.append(word)
            if opens and not _ASSIGNMENT.match(word):
                opens, declares = False, word in _DECLARING
        if words:
            if self.sees("("):
                self.refuse()
            self.simple_commands.append(SimpleCommand(start, words))
        return self.at > start

    # Redirections, here-documents, substitutions

    def _redirection(self) -> bool:
        self.blanks()
        found = _REDIRECTION.match(self.text, self.at)
        if found is None:
            return False
        self.at = found.end()
        target = self.needed_word()
        if found[1] in ("<<", "<<-"):
            self._documents.append((_unquoted(target), found[1] == "<<-"))
        return True

    def newlines(self) -> None:
        """Blanks and line ends, and the here-documents behind a line."""
        self.blanks()
        while self.sees("\n"):
            self.at += 1
            for end, is_indented in self._documents:
                self._document(end, is_indented)
            self._documents.clear()
            self.blanks()

    def _document(self, end: str, is_indented: bool) -> None:
        """The body of a here-document. One that never ends takes all the rest, as bash has it."""
        while not self.is_at_end():
            self.step()
            line_end = self.text.find("\n", self.at)
            line_end = len(self.text) if line_end < 0 else line_end
            line = self.text[self.at : line_end]
            line = line.lstrip("\t") if is_indented else line
            if self._open_substitutions and line.startswith(end) and ")" in line[len(end) :]:
                self.at = line_end - len(line) + len(end)
                return
            self.at = min(line_end + 1, len(self.text))
            if line == end:
                return

    def substitution(self) -> None:
        """Reads `$(…)`, `<(…)` or `>(…)`, the commands inside included."""
        start = self.at
        self.enter()
        self._open_substitutions += 1
        self.at += 2
        waiting, self._documents = self._documents, []
        self._list()
        if not self.takes(")"):
            self.refuse_or_miss(")", start)
        self._documents = waiting + self._documents
        self._open_substitutions -= 1
        self.leave()


_COMPOUND = {
    "(": _Grammar._subshell,
    "{": _Grammar._group,
    "if": _Grammar._if,
    "while": _Grammar._while,
    "until": _Grammar._while,
    "for": _Grammar._for,
    "select": _Grammar._select,
    "case": _Grammar._case,
    "[[": _Grammar.condition,
}


def _unquoted(word: str) -> str:
    """The end mark of a here-document, as its last line has it."""
    return re.sub(r"\\\n|\\(.)|['\"]|\$(?=['\"])", r"\1", word)
