"""Finding e-mail addresses, phone numbers, IP addresses, card numbers and secrets in text.

Precision before recall: code, versions, dates, ISBNs and order numbers are full of digits. What
counts, by kind:

email   an address with a top-level domain of letters that is no file suffix (`icon@2x.png`,
        `getty@tty1.service`). Not `git@host:` and not the target of ssh, scp, sftp or rsync: these
        name machines.
phone   an international number with + and separators or at least ten digits; three, three and four
        digits parted by hyphens or dots, or with the first three in parentheses; other groupings of
        7 to 15 digits only after a word such as "phone", "call" or "mobile".
ip      IPv4 with four octets up to 255, globally unique IPv6 (2000::/3). Left alone, for they name
        nobody and agents work with them: private, loopback, link-local, shared, multicast and mask
        addresses, public resolvers, versions ("v1.2.3.4") and four single digits outside addresses.
card    13 to 19 digits, plain or in the groups in which cards print them, with the prefix and the
        length of an issuer and a valid check digit (ISO/IEC 7812-1, annex B).
secret  see curation/stages/pii/secret_keys.py
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from typing import NamedTuple

from curation.recipe.stages import PII_KINDS, PiiKind
from curation.stages.pii.secret_keys import find_secrets


class Finding(NamedTuple):
    """Where in a text, of what kind, and what identifies the value however it is spelt."""

    start: int
    end: int
    kind: PiiKind
    value: str


Finder = Callable[[str], Iterator[Finding]]


def find(text: str, kinds: frozenset[PiiKind] = frozenset(PII_KINDS)) -> list[Finding]:
    """What a text holds, in order and without overlap.

    Secrets win over other kinds at the same place, then cards, e-mails, addresses, phones.
    """
    found: list[Finding] = []
    for kind, finder in _FINDERS.items():
        if kind in kinds:
            for finding in finder(text):
                if all(finding.end <= other.start or finding.start >= other.end for other in found):
                    found.append(finding)
    return sorted(found)


_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9_](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_+-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?P<top>[A-Za-z]{2,24})(?![\w-]|\.\w|@)"
)
_SUFFIXES = (
    "png jpg jpeg gif svg webp bmp ico pdf js jsx ts tsx css scss html htm json yaml yml xml csv txt md py "
    "rb go rs java cpp hpp sh zip tar gz log service socket target timer mount slice scope path device"
)
_FILE_SUFFIXES = frozenset(_SUFFIXES.split())
_LOGIN = re.compile(r"\b(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id|autossh)\b[^\n]*$")


def find_emails(text: str) -> Iterator[Finding]:
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        if match["top"].lower() in _FILE_SUFFIXES:
            continue
        local, after = match.group().partition("@")[0], text[match.end() : match.end() + 2]
        if after[:1] == ":" and (local == "git" or after[1:].strip()):
            continue
        if _LOGIN.search(_before(text, match.start(), 120)):
            continue
        yield Finding(match.start(), match.end(), "email", match.group().lower())


_DIGITS = re.compile(r"[0-9][0-9 ().-]{5}")
# Where _PHONE can match: far faster to find.
_PHONE_START = re.compile(r"[+(\d](?<![\w+./@#$=&%-].)(?=[\d ().\u2011-]{6})", re.DOTALL)
_PHONE = re.compile(
    r"(?<![\w+./@#$=&%-])(?:"
    r"(?P<international>\+[1-9]\d{0,2}(?P<separator>[ .\u2011-]|(?=\())?(?:\(\d{1,5}\)[ .-]?)?\d{1,5}"
    r"(?:[ .\u2011-]?\d{2,5}){1,5})"
    r"|(?P<american>(?:1[ .-])?(?:\(\d{3}\)[ -]?|\d{3}(?P<mark>[.-]))\d{3}(?(mark)(?P=mark)|[ .-])\d{4})"
    r"|(?P<other>\(?\d{2,5}\)?(?:[ .-]?\d{2,6}){1,4})"
    r")(?!\w|[.,:/-]\d|[%\u00b0])"
)
_PHONE_WORD = re.compile(
    r"(?<![A-Za-z])(?:cell|mobile)?(?:phone|telephone|tel|mobile|cell|fax|whatsapp|hotline|landline|call|text|"
    r"dial|reach|contact)(?:[ _-]*(?:number|num|no|nr|us|me|him|her|them|at|on|is|was|now))*"
    r"\.?[\"']?[ \t]*[:=#]?[ \t]*[\"']?$",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\+?(?:19|20)\d\d([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2(?:19|20)\d\d"
    r"|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d(?!\d)"
)
# The country calling codes of one and two digits; all others have three (ITU-T E.164 list).
_CODES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 "
    "81 82 84 86 90 91 92 93 94 95 98"
)
_SHORT_CODES = frozenset(_CODES.split())
_LONG_CODES = re.compile(r"2[1-69]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d|9[679]\d")


def find_phones(text: str) -> Iterator[Finding]:
    if not _DIGITS.search(text):
        return
    for match in _phones(text):
        said = match.group()
        digits = re.sub(r"[^0-9]", "", said)
        if not 7 <= len(digits) <= 15 or _DATE.match(said):
            continue
        if match["international"]:
            plausible = _is_international(digits, said)
        elif match["american"]:
            plausible = len(set(digits)) > 1
        else:
            spoken = _PHONE_WORD.search(_before(text, match.start(), 48))
            plausible = bool(spoken) and _is_spoken(digits, said)
        if plausible:
            yield Finding(match.start(), match.end(), "phone", digits)


def _phones(text: str) -> Iterator[re.Match[str]]:
    """_PHONE.finditer(text)."""
    end = 0
    for start in _PHONE_START.finditer(text):
        if start.start() >= end and (match := _PHONE.match(text, start.start())):
            end = match.end()
            yield match


def _is_international(digits: str, said: str) -> bool:
    code = digits[:1] in _SHORT_CODES or digits[:2] in _SHORT_CODES or bool(_LONG_CODES.match(digits))
    parted = len(re.findall(r"\d+", said)) >= 3
    return code and (len(digits) >= 10 or (parted and len(digits) >= 8))


def _is_spoken(digits: str, said: str) -> bool:
    """Whether digits after a phone word are grouped as a number is written down."""
    groups = re.findall(r"\d+", said)
    if len(groups) == 1:
        return len(digits) >= 9
    return len(groups[-1]) >= 3 and not re.search(r"\.\d{1,2}$", said)


_DOTTED = re.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]")
_IPV4 = re.compile(r"(?<![\w.+-])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d|-\d)")
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:]|\.\d)")
_VERSION = re.compile(
    r"(?:\bv(?:er(?:sion)?)?s?\.?|\brelease|\bbuild|\bfirmware|\brevision|\bsection|\bchapter|[=~^<>]=|[\w)]/)\s*[:=]?\s*[\"']?$",
    re.IGNORECASE,
)
_URL_OR_LABEL = re.compile(
    r"(?:://|@|\bip(?:v4)?\b(?: address(?:es)?)?[^\n\d]{0,16}|\bhost\b[^\n\d]{0,8})$", re.IGNORECASE
)
_NETWORKS = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 224.0.0.0/3 "
    "1.1.1.1/32 1.0.0.1/32 8.8.8.8/32 8.8.4.4/32 9.9.9.9/32 149.112.112.112/32 208.67.220.220/32 "
    "208.67.222.222/32"
)
_NOBODYS = tuple(map(IPv4Network, _NETWORKS.split()))


def find_addresses(text: str) -> Iterator[Finding]:
    for match in _IPV4.finditer(text) if _DOTTED.search(text) else ():
        context = _before(text, match.start(), 32)
        labelled = bool(_URL_OR_LABEL.search(context))
        if not labelled and (len(match.group()) == 7 or _VERSION.search(context)):
            continue
        try:
            address = IPv4Address(match.group())
        except AddressValueError:
            continue
        if not any(address in network for network in _NOBODYS):
            yield Finding(match.start(), match.end(), "ip", str(address))
    for match in _IPV6.finditer(text) if text.count(":") >= 3 else ():
        try:
            yield Finding(match.start(), match.end(), "ip", str(IPv6Address(match.group())))
        except AddressValueError:
            continue


_CARD_DIGITS = re.compile(r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{2}")
_CARD = re.compile(
    r"(?<![\w.+-])(?<!\d[ /])(?:\d{4}(?P<mark>[ -]?)\d{4}(?P=mark)\d{4}(?P=mark)\d{4}(?:(?P=mark)\d{3})?"
    r"|\d{4}(?P<short>[ -]?)\d{6}(?P=short)\d{4,5})(?![\w-]|\.\d| \d{4})"
)
# Issuer prefixes with the lengths they use: Visa, Mastercard (two ranges), American Express,
# Discover, Diners Club, JCB, UnionPay (ISO/IEC 7812 issuer identification numbers).
_ISSUERS = re.compile(
    r"4(?:\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}(?:\d{3})?"
)


def find_cards(text: str) -> Iterator[Finding]:
    for match in _CARD.finditer(text) if _CARD_DIGITS.search(text) else ():
        digits = re.sub(r"\D", "", match.group())
        if _ISSUERS.fullmatch(digits) and has_check_digit(digits):
            yield Finding(match.start(), match.end(), "card", digits)


def has_check_digit(digits: str) -> bool:
    """Whether the last digit fits the others by Luhn's rule."""
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _before(text: str, start: int, length: int) -> str:
    return text[max(0, start - length) : start]


def _find_secrets(text: str) -> Iterator[Finding]:
    return (Finding(start, end, "secret", value) for start, end, value in find_secrets(text))


# In order of precedence.
_FINDERS: dict[PiiKind, Finder] = {
    "secret": _find_secrets,
    "card": find_cards,
    "email": find_emails,
    "ip": find_addresses,
    "phone": find_phones,
}
