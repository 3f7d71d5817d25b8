"""Bytes as the text that they were meant to be."""

import re

# Well-formed sequences, or one that the end of the data cuts after its second byte.
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
    rb"|[\xe0-\xef][\x80-\xbf]\Z|[\xf0-\xf4][\x80-\xbf]{1,2}\Z"
)

_HIGH = re.compile(rb"[\x80-\xff]+")


class UnknownEncoding(Exception):
    """Bytes that are neither UTF-8 nor a Western single-byte encoding."""


def to_text(data: bytes) -> tuple[str, str | None]:
    """Text of a line or a file, and how it was mended: None, `damaged_utf8`, `cp1252` or `latin-1`.

    Bytes with as many well-formed UTF-8 sequences as stray high bytes are UTF-8 with damage, whose
    bad bytes become U+FFFD. Otherwise they are Western text: cp1252, or latin-1 where a byte has no
    meaning in cp1252. More than four high bytes in a row are neither (Big5, GBK, Cyrillic, binary):
    UnknownEncoding.
    """
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        pass
    well_formed = sum(1 for _ in _MULTIBYTE.finditer(data))
    stray = sum(len(run) for run in _HIGH.findall(_MULTIBYTE.sub(b"", data)))
    if well_formed >= stray:
        return data.decode(errors="replace"), "damaged_utf8"
    if max(map(len, _HIGH.findall(data))) > 4 or b"\0" in data:
        raise UnknownEncoding("neither UTF-8 nor cp1252; name its `encoding` in the recipe")
    try:
        return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"
