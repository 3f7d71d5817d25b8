"""Rows with planted near duplicates, and the exact truth about them.

The truth shares nothing with the compiled search but the definition of a word: it takes shingles
of strings, and finds every pair through the rarest ones.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path

import orjson

from benchmarks.multiply import conversations
from curation.stages.near_duplicates.shingles import jaccard, shingles

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "data"
LEVELS = (0.6, 0.66, 0.68, 0.7, 0.72, 0.75, 0.78, 0.8, 0.82, 0.85, 0.88, 0.9, 0.92, 0.95)
PLANTED = 0.3  # of the rows are edited copies of others
LONGEST = 24_000  # characters of a row

# A pair of texts by their places, and its exact Jaccard.
Truth = dict[tuple[int, int], float]


def real_texts(corpus: Path = CORPUS) -> list[str]:
    """What is said in every conversation of the corpus; made-up texts where that is absent."""
    if not corpus.is_dir():
        return made_up_texts(20_000)
    lines = conversations(ROOT / "recipes" / "corpus.yaml", corpus)
    texts = (said(orjson.loads(line)["messages"]) for line in lines)
    return [text for text in texts if len(text) <= LONGEST]


def said(messages: Sequence[dict[str, object]]) -> str:
    """The texts of users and assistants."""
    return "\n".join(
        str(m["content"]) for m in messages if m["role"] in {"user", "assistant"} and m["content"]
    )


def made_up_texts(count: int, *, seed: int = 17) -> list[str]:
    """Texts of made-up words, some of them far more frequent than others."""
    random_ = random.Random(seed)
    vocabulary = [
        "".join(random_.choices("abcdefghiklmnoprstuw", k=random_.randint(2, 9))) for _ in range(9000)
    ]
    texts = []
    for _ in range(count):
        length = round(random_.lognormvariate(5, 1)) + 1
        texts.append(" ".join(vocabulary[int(9000 * random_.random() ** 3)] for _ in range(length)))
    return texts


def planted(texts: Sequence[str], rows: int, *, seed: int = 17) -> list[str]:
    """`rows` texts in seeded order: different ones, and edited copies of some of them.

    With fewer texts than rows the same text is taken again, in another cipher, so that its copies
    share no words.
    """
    random_ = random.Random(seed)
    pool = random_.sample(list(texts), len(texts))
    fresh = max(1, round(rows * (1 - PLANTED)))
    found = [enciphered(pool[k % len(pool)], k // len(pool)) for k in range(fresh)]
    for number in range(rows - fresh):
        found.append(edited(random_.choice(found[:fresh]), LEVELS[number % len(LEVELS)], random_))
    random_.shuffle(found)
    return found


def edited(text: str, similarity: float, random_: random.Random) -> str:
    """The text with so many words replaced that about `similarity` remains.

    A replaced word changes five shingles: of n, 5 m are lost and 5 m are new.
    """
    spans = [match.span() for match in re.finditer(r"\w+", text)]
    changed = round(len(spans) * (1 - similarity) / (5 * (1 + similarity)))
    parts, end = [], 0
    for start, stop in sorted(random_.sample(spans, min(changed, len(spans)))):
        parts += [text[end:start], f"x{random_.randrange(10**6)}"]
        end = stop
    return "".join([*parts, text[end:]])


def enciphered(text: str, key: int) -> str:
    """The text with the letters of the Latin alphabet exchanged; key 0 leaves it as it is."""
    return text.translate(cipher(key)) if key else text


def cipher(key: int) -> dict[int, str]:
    """A seeded exchange of letters, capitals alike."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    others = "".join(random.Random(key).sample(letters, len(letters)))
    return {ord(a): b for a, b in zip(letters + letters.upper(), others + others.upper(), strict=True)}


def truth(texts: Sequence[str], threshold: float) -> Truth:
    """Every pair of texts whose exact similarity reaches the threshold."""
    sets = [shingles(text) for text in texts]
    counts = Counter(shingle for own in sets for shingle in own)
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    found: Truth = {}
    for row, own in enumerate(sets):
        rarest = sorted(own, key=lambda shingle: (counts[shingle], shingle))
        rarest = rarest[: len(own) - ceil(threshold * len(own) - 1e-9) + 1]
        for other in {other for shingle in rarest for other in rows[shingle]}:
            alike = min(len(own), len(sets[other])) / max(len(own), len(sets[other]))
            if alike >= threshold and (similarity := jaccard(own, sets[other])) >= threshold:
                found[other, row] = similarity
        for shingle in rarest:
            rows[shingle].append(row)
    return found


def with_partner(pairs: Truth, threshold: float) -> set[int]:
    """The rows that have at least one near duplicate."""
    return {row for pair, similarity in pairs.items() if similarity >= threshold for row in pair}


def kept_rows(pairs: Truth, rows: int, threshold: float) -> list[int]:
    """The rows that stay when the earlier of two stays: by definition, one after the other."""
    earlier = defaultdict(list)
    for (one, other), similarity in pairs.items():
        if similarity >= threshold:
            earlier[max(one, other)].append(min(one, other))
    kept: set[int] = set()
    for row in range(rows):
        if not kept.intersection(earlier[row]):
            kept.add(row)
    return sorted(kept)


def ten_scripts(count: int, *, seed: int = 17) -> Iterator[str]:
    """Made-up rows in ten scripts, a third of them edited copies of the row before."""
    alphabets = [
        range(0x61, 0x7B), range(0x3B1, 0x3CA), range(0x430, 0x450), range(0x5D0, 0x5EB), range(0x628, 0x64B),
        range(0x915, 0x93A), range(0xE01, 0xE2F), range(0x4E00, 0x5200), range(0x3042, 0x3094),
        range(0xAC00, 0xB000),
    ]  # fmt: skip
    random_ = random.Random(seed)
    words: list[str] = []
    for number in range(count):
        letters = alphabets[number // 3 % len(alphabets)]
        if number % 3 == 2:
            words = [word if random_.random() > 0.02 else word[::-1] + chr(letters[0]) for word in words]
        else:
            lengths = [random_.randint(1, 9) for _ in range(random_.randint(3, 200))]
            words = ["".join(chr(random_.choice(letters)) for _ in range(length)) for length in lengths]
        yield " ".join(words)
