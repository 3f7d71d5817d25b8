"""Personal data as others publish it as examples: how much is found, and what else is taken for it."""

import importlib
import pkgutil
import re
import warnings
from collections import Counter, defaultdict
from itertools import chain

import pytest
import stdnum

from benchmarks.personal_data import (
    ALPHABETS,
    PHONE_WORDS,
    Planted,
    emails,
    is_clean,
    is_hidden,
    phones,
    random_keys,
    secrets,
    sentences,
    shapes,
    with_check_digit,
)
from curation.row import decode, frame
from curation.stages.pii.personal_data import find
from curation.stages.pii.phone_words import _CALLS, _MESSAGES, _PHONES, _UNSPACED_CALLS, _UNSPACED_PHONES
from curation.stages.pii.stage import pii
from curation.stages.pii.token_prefixes import SEPARATED, TELLING


def share_hidden(planted: list[Planted]) -> float:
    return sum(map(is_hidden, planted)) / len(planted)


def test_every_email_address_is_found_whatever_script_stands_beside_it():
    assert [one.text for one in emails() if not is_hidden(one) or not is_clean(one)] == []


@pytest.mark.parametrize("language", PHONE_WORDS)
def test_phone_numbers_of_all_regions_are_found_behind_the_words_of_a_language(language):
    assert share_hidden([one for one in phones([language]) if "behind" in one.sort]) >= 0.95


def test_phone_numbers_with_a_country_code_are_found_without_a_word():
    assert share_hidden([one for one in phones(["en"]) if "with +" in one.sort]) >= 0.96


def test_labelled_sentences():
    by_sort = defaultdict(list)
    for one in sentences():
        by_sort[one.kind].append(one)
    shares = {kind: share_hidden(ones) for kind, ones in by_sort.items()}
    assert shares.pop("phone") >= 0.85
    assert shares == {"card": 1.0, "email": 1.0, "ip": 1.0}


def test_secrets_with_a_known_prefix_are_found_anywhere():
    missed = Counter(one.sort for one in secrets() if one.sort.startswith("prefix") and not is_hidden(one))
    # The first has no letters of its own, the second is a cookie.
    assert {rule for rule, times in missed.items() if times > 1} == {
        "prefix facebook-access-token",
        "prefix gitlab-session-cookie",
    }
    assert sum(not name for _, name, _, _ in shapes()) == 111


def test_secrets_that_are_assigned_are_found():
    assert share_hidden([one for one in secrets() if one.sort == "secret assigned"]) >= 0.97


@pytest.mark.parametrize("sort", ALPHABETS)
def test_random_keys_do_not_pass_as_words(sort):
    assert share_hidden([one for one in random_keys() if one.sort == f"forty of {sort}"]) >= 0.99


def test_random_passwords_do_not_pass_as_words():
    assert share_hidden([one for one in random_keys() if one.sort == "password of twelve"]) >= 0.95


def test_numbers_of_other_kinds_are_no_personal_data():
    found = Counter()
    for module in pkgutil.walk_packages(stdnum.__path__, "stdnum."):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some have been renamed
            text = importlib.import_module(module.name).__doc__ or ""
        for number in re.findall(r"(?:validate|compact|format|is_valid)\('([^']{6,40})'\)", text):
            found.update(f.value for f in find(f"{module.name} number {number}, thanks"))
    # Written as a number of North America.
    assert found == {"9434765870": 1}


def test_a_french_firm_is_no_card_unless_the_text_says_so():
    siren = with_check_digit("36252187")
    siret = with_check_digit(f"{siren}0003")
    assert find(f"SIRET {siret}") == []
    assert [f.kind for f in find(f"my credit card {siret}")] == ["card"]


def test_every_token_holds_one_of_its_marks_and_is_found_by_them():
    marks = [mark for token in (*SEPARATED, *TELLING) for mark in token.marks.split()]
    assert len(marks) == len(set(marks)) > 110
    for token in SEPARATED:
        assert re.search("[_-]", token.pattern)


def test_the_stage_looks_closer_wherever_there_is_something_to_find():
    """What the stage asks of all texts at once, so that it needs to search few, misses none of these."""
    words = chain(_PHONES, _CALLS, _MESSAGES, _UNSPACED_PHONES, _UNSPACED_CALLS)
    said = [form for word in words for form in (word, word.capitalize(), word.upper())]
    texts = [f"Ana\n{word}: 020 7946 0958" for word in said] + [f"{word} to 5550 1234" for word in said]
    texts += [one.text for one in chain(emails(), phones(), sentences(2), secrets(), random_keys(30))]
    kept = pii(frame([[{"role": "user", "content": text}] for text in texts])).kept
    masked = [decode(messages)[0]["content"] for messages in kept["messages"]]
    missed = [text for text, now in zip(texts, masked, strict=True) if find(text) and text == now]
    # Of short tokens without a separator a few have no letters between digits.
    assert [text for text in missed if not re.search("EAAA|GR134|LTAI|pat|cmVmd|AKCp", text)] == []
    assert len(missed) < 20
