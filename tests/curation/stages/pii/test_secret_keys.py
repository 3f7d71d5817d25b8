"""secret_keys: what looks random is told from what is written for a reader."""

import pytest

from curation.stages.pii.secret_keys import bits, find_assigned, is_random


@pytest.mark.parametrize(
    "value",
    [
        "9f86d081884c7d659a2feaa0c55ad015",
        "hT7#kk2!zQ",
        "Zx81kLmN20PqRs7t",
        "aB3#fG7&kL9!",
        "/q8Lr2MyVt5Zn0Xw7Bc3Kd9Fh4Js6Pg1Ru/Te+W",
        "xKqmPRvLtYwB",
        "upqp5kfdq695kjx",
    ],
)
def test_random(value):
    assert is_random(value)


@pytest.mark.parametrize(
    "value",
    [
        "correcthorse",
        "your_key_17A",
        "AAAAAAAA1",
        "2024-01-15",
        "/etc/key1A",
        "os.environ1",
        "{{token1}}",
        "v1.2.3-rcA",
        "OAuth2Credentials",
        "change-this-in-production-1",
        "2024-01-15T10:00:00Z",
    ],
)
def test_written(value):
    assert not is_random(value)


def test_entropy_is_in_bits_per_character():
    assert bits("abab") == 1
    assert bits("abcdabcd") == 2


def test_slack_hooks_and_bearer_tokens():
    hook = "T0AB12/B0CD34/" + "x7Yq9Lm2Pw5Rt8Kz"
    text = f"https://hooks.slack.com/services/{hook} Bearer q7Zp29xLmT4vB8nK1s"
    assert [value for _, _, value in find_assigned(text)] == [hook]
    assert [v for _, _, v in find_assigned("Bearer q7Zp29xLmT4vB8nK1sWy")] == ["q7Zp29xLmT4vB8nK1sWy"]
