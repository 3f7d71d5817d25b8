"""What the names of columns say: that one asks, that one answers, what belongs before a question.

A name speaks by its whole words alone ("ask" is none of "task"). Nothing is concluded from what a column
holds; that only ever speaks against it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from curation.recipe.readers import READERS

Objects = Sequence[Mapping[str, Any]]


def _set(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


# Beside the names that readers know: words that say it in any name, in the languages of FAQs we know of.
_ASKS = _set(
    """
    question questions query prompt instruction problem ask asks asked inquiry q frage fragen pregunta domanda
    pergunta vraag fråga spørgsmål pytanie otázka kérdés soru вопрос 问题 問題 質問 질문 سؤال प्रश्न
    """
)
_ANSWERS = _set(
    """
    answer answers response reply replies completion output solution say says said a antwort antworten
    respuesta réponse reponse risposta resposta antwoord svar odpowiedź odpověď válasz cevap ответ 回答 答案
    答え 답변 جواب उत्तर
    """
)
# A name with one of these is no question and no answer, whatever else it says.
_NEITHER = _set(
    """
    id ids uid uuid guid key hash md5 sha sha1 sha256 digest url urls uri link links href path file filename
    date dates time times timestamp datetime datum created updated edited index idx number num nr no count len
    length size token tokens type types kind category topic tag tags label labels score scores rating rank
    level lang language locale model version start end template concept options choices system author by
    rejected incorrect wrong bad negative worse worst false hallucinated distractor test tests embedding
    vector image picture audio video logprobs probability confidence
    """
)
# Headings and texts that ask together, in tickets and forums; alone they say nothing.
_HEADINGS = ("title", "subject", "headline")
_BODIES = ("body", "description", "selftext", "details")
_NO_TEXT = re.compile(
    r"\s*|https?://\S+|[0-9a-f]{16,}|[\d.,:/ -]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z\d])(?=[A-Z])")


class Asks(Exception):
    """What a person must decide, in a line: the names do not."""


def words(name: str) -> list[str]:
    """The words of a name: questionText, Question_Text and `question text` have the same two."""
    return [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name))]


def asked_and_answered(objects: Objects) -> dict[str, str]:
    """The columns of `reader: qa` that say by their names that they ask and answer; none where none do.

    Raises Asks where several could, or where something beside them changes what is asked.
    """
    texts = text_columns(objects)
    answer = _best(texts, objects, _answers(texts, objects), "answer")
    if answer is None:
        return {}
    question = _best(texts, objects, _questions(texts, answer), "ask")
    found = {"question": question} if question is not None else _heading(texts)
    if not found:
        return {}
    return {**found, "answer": answer}


def asks_or_heads(name: str) -> bool:
    """Whether a column's name says that it asks, or heads or tells what is asked."""
    said = {*words(name)}
    return bool(said & _ASKS and not said & _NEITHER) or name.lower() in (*_HEADINGS, *_BODIES)


def text_columns(objects: Objects) -> dict[str, list[str]]:
    """Column, or dotted path into an object, → its texts in the records that have one."""
    found: dict[str, list[str]] = {}
    for record in objects:
        for key, value in _paths(record):
            if (text := _text(value)) is not None:
                found.setdefault(key, []).append(text)
    return {key: said for key, said in found.items() if len(said) * 2 > len(objects)}


def _paths(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        yield key, value
        if isinstance(value, dict) and "text" not in value and "." not in key:
            yield from ((f"{key}.{inner}", one) for inner, one in value.items())


def _text(value: Any) -> str | None:
    """Text, a number's, or the only text of a list, as in SQuAD's answers."""
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if isinstance(value, list):
        value = value[0] if len({*map(str, value)}) == 1 else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _questions(texts: Mapping[str, list[str]], answer: str) -> list[list[str]]:
    """Columns that ask, the best names first; those of one list say it alike."""
    known = READERS["qa"].columns["question"]
    return _named([key for key in texts if key != answer], known, _ASKS, texts)


def _answers(texts: Mapping[str, list[str]], objects: Objects) -> list[list[str]]:
    """Columns that answer. Of a pair the chosen one; a worked solution before the figure it ends in."""
    if "chosen" in texts and "rejected" in objects[0]:
        return [["chosen"]]
    known = READERS["qa"].columns["answer"]
    ranked = _named(list(texts), known, _ANSWERS, texts, is_number=True)
    solutions = [key for rank in ranked for key in rank if "solution" in words(key)]
    return [solutions, *ranked] if solutions else ranked


def _named(
    keys: Sequence[str],
    known: Sequence[str],
    telling: frozenset[str],
    texts: Mapping[str, list[str]],
    is_number: bool = False,
) -> list[list[str]]:
    """Keys by what their names say: those that are a known name, then those with a telling word."""
    usable = [key for key in keys if _is_said(texts[key], is_number) and not _NEITHER & {*words(key)}]
    last = {key: key.rpartition(".")[2].strip().lower() for key in usable}
    exact = [key for key in usable if last[key] in known]
    # `input_output` says both, which is neither.
    other = (_ASKS | {"input"} if telling is _ANSWERS else _ANSWERS) - {"a", "q"}
    said = {key: {*words(key.rpartition(".")[2])} for key in usable if key not in exact}
    others = [key for key, told in said.items() if telling & told and not other & told]
    # `input` and `user` ask, and `assistant` answers, where no clearer name does.
    clear = [key for key in exact if telling & {*words(last[key])}]
    return [rank for rank in (clear, [key for key in exact if key not in clear], others) if rank]


def _is_said(said: Sequence[str], is_number: bool) -> bool:
    """Whether most of a column's values are text, and not addresses, dates, hashes or nothing."""
    if is_number:
        return sum(bool(text.strip()) and not text.startswith("http") for text in said) * 2 > len(said)
    return sum(_NO_TEXT.fullmatch(text) is None for text in said) * 2 > len(said)


def _best(
    texts: Mapping[str, list[str]], objects: Objects, ranked: Sequence[Sequence[str]], does: str
) -> str | None:
    """The one column of the best names. Raises Asks where two of them say different things."""
    if not ranked:
        return None
    for one, other in combinations(ranked[0], 2):
        if _differ(texts[one], texts[other]):
            raise Asks(f"`{one}` and `{other}` could both {does}")
    return ranked[0][0]


def _differ(some: Sequence[str], others: Sequence[str]) -> bool:
    return any(one.strip() != other.strip() for one, other in zip(some, others, strict=False))


def _heading(texts: Mapping[str, list[str]]) -> dict[str, str]:
    """A heading that asks, with the text below it, where another column says that it answers."""
    short = {key.lower(): key for key in texts}
    heading = next((short[name] for name in _HEADINGS if name in short), None)
    body = next((short[name] for name in _BODIES if name in short), None)
    if heading is None or not _is_said(texts[heading], False):
        return {}
    if body is None:
        return {"question": heading}
    if all(text.strip() for text in texts[body]):
        return {"context": heading, "question": body}
    return {"context": body, "question": heading}
