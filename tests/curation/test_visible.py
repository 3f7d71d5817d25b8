"""Hidden characters are spelt out; letters and emoji stay whole."""

import pytest

from curation.visible import count, cut, percent, size, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \t\n text", "plain \t\n text"),
        ("a\r\nb", "a\nb"),
        ("a\x00b", "a⟨U+0000⟩b"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("\U0001f469\u200d\U0001f52c", "\U0001f469\u200d\U0001f52c"),
        ("\u200da", "⟨U+200D⟩a"),
        ("\U0001f60a\ufe0f\U000e0159\ufe05", "\U0001f60a\ufe0f⟨U+E0159⟩⟨U+FE05⟩"),
        ("\U0001f3f4\U000e0069pass\u3164word", "\U0001f3f4⟨U+E0069⟩pass⟨U+3164⟩word"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_spelt(text, shown):
    assert visible(text) == shown


def test_numbers_read_well():
    assert (count(1234567), count(None), count(0.25), count(1.0)) == ("1,234,567", "\u2013", "0.25", "1")
    assert (percent(0.1234), percent(1, 8), percent(1, 0)) == ("12.3\u00a0%", "12.5\u00a0%", "\u2013")
    assert (size(999), size(1500), size(2_500_000)) == ("999 bytes", "1.5 kB", "2.5 MB")
    assert cut("abcdef", 4) == ("abcd", 2)
