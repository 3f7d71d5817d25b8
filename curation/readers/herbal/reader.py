"""Herbals: a raw public-domain book as questions and the book's own answers."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from curation.errors import SourceError
from curation.readers.herbal.entries import entries
from curation.readers.herbal.parts import pieces
from curation.readers.herbal.questions import Asked, Asker
from curation.readers.herbal.text import Book, read_book
from curation.readers.herbal.ways import Piece, judge, told
from curation.readers.seam import LAST, Candidate, Reader
from curation.recipe.source import Source
from curation.row import message
from curation.sources import decoding
from curation.sources.decoding import Stored
from curation.sources.records import Bad
from curation.turns.shape import Row

# A note with two headings is not a book.
SHORTEST_BYTES = 2_000


def book(path: Stored, source: Source, *, file: str) -> Iterator[Row | Bad]:
    """The rows of a file that holds one book; of a broken one, of what can be read of it."""
    text, _, broken = decoding.whole_text(path, source.encoding)
    yield from rows(text, source, file=file)
    if broken is not None:
        yield Bad(str(broken))


def rows(text: str, source: Source, *, file: str) -> list[Row | Bad]:
    """One row per section of every plant, receipt and chapter, in the order of the book.

    text   the whole book, already decoded; `source.book` names it where its own header does not
    Returns rows of a user question and an assistant answer: the book's paragraphs and a last line
    that cites book and entry. A passage that neither names its plant nor stands between its heading and the
    next is no row. The same text gives the same rows. Raises SourceError, which says what was looked for and
    what was found, where no entry can be made out.
    """
    book = read_book(text)
    found = pieces(book)
    title, author = _credit(book, source, file)
    asker = Asker(title, author)
    asked = [pair for entry in entries(found) for pair in asker.ask(entry)]
    if not any(isinstance(pair, Asked) for pair in asked):
        raise SourceError(_nothing(file, found))
    return [
        Row(_messages(*pair, source), None, []) if isinstance(pair, Asked) else Bad(pair.why, pair.answer)
        for pair in asked
    ]


def _messages(question: str, answer: str, source: Source) -> list[dict[str, object]]:
    system = [message("system", source.system)] if source.system else []
    return [*system, message("user", question), message("assistant", answer)]


def _credit(book: Book, source: Source, file: str) -> tuple[str, str | None]:
    """Title and author: the recipe's `book` (`TITLE by AUTHOR`), else the book's own, else the file name."""
    if source.book:
        title, _, author = source.book.partition(" by ")
        return title.strip(), author.strip() or (book.author if book.title == title.strip() else None)
    return book.title or PurePosixPath(file).stem.replace("_", " "), book.author


def _nothing(file: str, found: list[Piece]) -> str:
    judged = judge(found)
    seen = told(judged) or "no headings"
    words = sum(len(piece.text.split()) for piece in found)
    return (
        f"{file}: no herbal entries: looked for plant names as headings (in capitals, capitalised, in italics"
        " or bold, as '## Name', 'CHAP. 2. Of Name', '12. Name' or 'NAME.—text') over text that speaks of"
        " plants, and two of: alphabetical or numerical order, the name in its own text, sections such as"
        " Description, Place, Time and Virtues; and for receipts that begin 'Take …';"
        f" found in {words:,} words {seen}"
    )


def guess_text(path: Path) -> Iterator[Candidate]:
    """Any text of some length may turn out to be a herbal."""
    if path.stat().st_size > SHORTEST_BYTES:
        yield Candidate(LAST)


READER = Reader(rows=book, guess_text=guess_text)
