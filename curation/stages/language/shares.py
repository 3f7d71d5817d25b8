"""The language of what one side says, by the share of its text: quotations do not change it."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice

from curation.stages.language.judges import Verdict
from curation.stages.language.models import UNDETERMINED
from curation.stages.language.tiers import languages, letters_of

# Where one sentence or line ends and the next begins.
PIECES = re.compile(r"(?<=[.!?:;])[\s\"'»”)]+|(?<=[\u3002\uff01\uff1f])|\n+")


def languages_by_share(texts: Sequence[str], keep: Collection[str] = ("en",)) -> list[Verdict]:
    """The language of each text, as `languages`, but that of the larger share of its sentences and lines.

    Those count in which the judges, asked about the whole, find no kept language: such a text is in a kept
    one if the sentences that are hold at least as many letters as those in others (signs count as `weigh`
    counts them), and in another one, where the whole is undetermined, if these hold more than half of all.
    """
    verdicts = languages(texts, keep)
    pieces = {
        row: some
        for row, verdict in enumerate(verdicts)
        if (verdict.by == "judges" or verdict.language != UNDETERMINED)
        and verdict.language not in keep
        and len(some := [piece for piece in PIECES.split(texts[row]) if piece]) > 1
    }
    asked = [piece for some in pieces.values() for piece in some]
    judged = zip(languages(asked, keep), letters_of(asked), strict=True)
    for row, some in pieces.items():
        total = 0
        kept: Counter[str] = Counter()
        others: Counter[str] = Counter()
        for verdict, letters in islice(judged, len(some)):
            total += letters
            if verdict.language != UNDETERMINED:
                (kept if verdict.language in keep else others)[verdict.language] += letters
        if not kept:
            continue
        if kept.total() >= others.total():
            verdicts[row] = Verdict(kept.most_common(1)[0][0], None, "share")
        elif verdicts[row].language == UNDETERMINED and 2 * others.total() > total:
            verdicts[row] = Verdict(others.most_common(1)[0][0], None, "share")
    return verdicts
