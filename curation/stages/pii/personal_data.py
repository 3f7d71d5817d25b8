"""Finding e-mail addresses, phone numbers, IP addresses, card numbers and secrets in text.

Precision before recall: code, versions, dates, ISBNs and order numbers are full of digits. What
counts, by kind:

email   an address with a top-level domain of letters that is no file suffix (`icon@2x.png`,
        `getty@tty1.service`). Not `git@host:` and not the target of ssh, scp, sftp or rsync: these
        name machines.
phone   see curation/stages/pii/phones.py
ip      IPv4 with four octets up to 255, globally unique IPv6 (2000::/3). Left alone, for they name
        nobody and agents work with them: private, loopback, link-local, shared, multicast and mask
        addresses, public resolvers, versions ("v1.2.3.4") and four single digits outside addresses.
card    13 to 19 digits, plain or in the groups in which cards print them, with the prefix and the
        length of an issuer and a valid check digit (ISO/IEC 7812-1, annex B).
secret  see curation/stages/pii/secret_keys.py and token_prefixes.py
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from typing import Literal, NamedTuple

from curation.recipe.stages import PiiKind
from curation.stages.pii.phones import find_phones
from curation.stages.pii.secret_keys import find_assigned
from curation.stages.pii.token_prefixes import find_tokens

# What is looked for at once. Secrets are of two sorts, so that a text with a name such as "key" is not
# searched for a hundred prefixes.
Sort = Literal["token", "assigned", "card", "email", "ip", "phone"]


class Finding(NamedTuple):
    """Where in a text, of what kind, and what identifies the value however it is spelt."""

    start: int
    end: int
    kind: PiiKind
    value: str


# (start, end, value) in a text, in order.
Finder = Callable[[str], Iterator[tuple[int, int, str]]]


def find(text: str, sorts: frozenset[Sort] | None = None) -> list[Finding]:
    """What a text holds, in order and without overlap; all sorts where none are given.

    Secrets win over other kinds at the same place, then cards, e-mails, addresses, phones.
    """
    found: list[Finding] = []
    for sort, finder in _FINDERS.items():
        if sorts is None or sort in sorts:
            for start, end, value in finder(text):
                at = bisect_left(found, start, key=_start)
                if (at == 0 or found[at - 1].end <= start) and (at == len(found) or found[at].start >= end):
                    found.insert(at, Finding(start, end, KINDS[sort], value))
    return found


def _start(finding: Finding) -> int:
    return finding.start


# The letters of an address: Latin, Greek and Cyrillic. Others, such as Chinese or Thai ones, stand beside an
# address without a space.
_LETTER = r"A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
_SIGN = rf"{_LETTER}0-9_"
_EMAIL = re.compile(
    rf"(?<![{_SIGN}])(?<![{_SIGN}][.+%-])[{_SIGN}](?:[{_SIGN}.%+'-]{{0,62}}[{_SIGN}+-])?"
    rf"@(?P<domain>(?:[{_LETTER}0-9](?:[{_LETTER}0-9-]{{0,61}}[{_LETTER}0-9])?\.)+)"
    r"(?P<top>xn--[a-z0-9-]{2,59}|[A-Za-z]{2,24}|[\u0370-\u052f]{2,24})"
    rf"(?![{_LETTER}0-9]|[_-][{_LETTER}0-9]|\.[{_LETTER}0-9]|@)"
)
_SUFFIXES = (
    "png jpg jpeg gif svg webp bmp ico pdf js jsx ts tsx css scss html htm json yaml yml xml csv txt md py "
    "rb go rs java cpp hpp sh zip tar gz log service socket target timer mount slice scope path device"
)
_FILE_SUFFIXES = frozenset(_SUFFIXES.split())
# Of these suffixes, what are countries: Serbia, Moldova, Paraguay, Saint Helena.
_COUNTRIES = frozenset(("rs", "md", "py", "sh"))
_SIZE = re.compile(r"[0-9.]+x?\.")
_LOGIN = re.compile(r"\b(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id|autossh)\b[^\n]*$")
_REMOTE_PATH = re.compile(r":[A-Za-z0-9_~/.$]")


def find_emails(text: str) -> Iterator[tuple[int, int, str]]:
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        top = match["top"].lower()
        if top in _FILE_SUFFIXES and (top not in _COUNTRIES or _SIZE.fullmatch(match["domain"])):
            continue
        local, after = match.group().partition("@")[0], text[match.end() : match.end() + 2]
        if after[:1] == ":" and (local == "git" or _REMOTE_PATH.match(after)):
            continue
        if _LOGIN.search(_before(text, match.start(), 120)):
            continue
        yield match.start(), match.end(), match.group().lower()


# Letters of other scripts stand beside figures without a space.
_BESIDE = r"A-Za-z0-9_\u00c0-\u024f"
_DOTTED = re.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]")
_IPV4 = re.compile(rf"(?<![{_BESIDE}.+-])(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?![{_BESIDE}]|\.\d|-\d)")
_IPV6 = re.compile(
    rf"(?<![{_BESIDE}:.])[23][0-9A-Fa-f]{{3}}(?::[0-9A-Fa-f]{{0,4}}){{2,7}}(?![{_BESIDE}:]|\.\d)"
)
_VERSION = re.compile(
    r"(?:\bv(?:8|er(?:sion)?)?s?\.?|\brelease|\bbuild|\bfirmware|\brevision|\bsection|\bchapter"
    r"|\boids?\b[^\n\d]{0,16}|\boid_\w{1,24}|\b(?:up|down)(?:grad|dat)(?:e[ds]?|ing)\b[^\n]{0,24}"
    r"|[=~^<>]=|[\w)]/)\s*[:=]?\s*[\"']?$",
    re.IGNORECASE | re.ASCII,
)
_DRAWN_BEFORE = re.compile(r"(?<![\d.])-?\d*\.\d+[ ,-]$")
_DRAWN_AFTER = re.compile(r"[ ,]?-?\d*\.\d+(?![\d.])")
_ADDRESS_WORD = re.compile(
    r"\b(?:ips?|ipv4|addr(?:ess(?:es)?)?|inet|hosts?|hostname|client|peer|remote|gateway|proxy|dns|nameserver|login|"
    r"from|connect(?:ed|ing|ions?)?|ping|ssh|curl|wget|nmap|traceroute|whois|dig|firewall|block(?:ed)?|listen)\b",
    re.IGNORECASE | re.ASCII,
)
# With nothing after the bits of a network, it is no one's address.
_NETWORK = re.compile(r"/([12]?\d|3[01])(?!\d)")
_PORT = re.compile(r":\d{2,5}\b")
_URL_OR_LABEL = re.compile(
    r"(?:://|@|\bip(?:v4)?\b(?: address(?:es)?)?[^\n\d]{0,16}|\bhost\b[^\n\d]{0,8})$",
    re.IGNORECASE | re.ASCII,
)
_NETWORKS = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 224.0.0.0/3 "
    "1.1.1.1/32 1.0.0.1/32 8.8.8.8/32 8.8.4.4/32 9.9.9.9/32 149.112.112.112/32 208.67.220.220/32 "
    "208.67.222.222/32"
)
_NOBODYS = tuple(map(IPv4Network, _NETWORKS.split()))


def _is_no_address(said: str, context: str, after: str) -> bool:
    """Whether four figures are a version, an object identifier, a section or a place in a drawing.

    Of addresses chosen at random one of fifty has four figures under a hundred, as these have.
    """
    if (
        len(said) == 7
        or _VERSION.search(context)
        or _DRAWN_BEFORE.search(context)
        or _DRAWN_AFTER.match(after)
    ):
        return True
    return all(len(figure) < 3 for figure in said.split(".")) and not (
        _ADDRESS_WORD.search(context) or _PORT.match(after)
    )


def find_addresses(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _IPV4.finditer(text) if _DOTTED.search(text) else ():
        context, after = _before(text, match.start(), 48), text[match.end() : match.end() + 8]
        if not _URL_OR_LABEL.search(context) and _is_no_address(match.group(), context, after):
            continue
        said = match.group()
        if after.startswith(".in-addr"):
            said = ".".join(reversed(said.split(".")))
        try:
            address = IPv4Address(said)
        except AddressValueError:
            continue
        network = _NETWORK.match(after)
        if network and int(address) % 2 ** (32 - int(network[1])) == 0:
            continue
        if not any(address in nobodys for nobodys in _NOBODYS):
            yield match.start(), match.end(), str(address)
    for match in _IPV6.finditer(text) if text.count(":") >= 3 else ():
        if match.group().endswith("::"):  # a network
            continue
        try:
            yield match.start(), match.end(), str(IPv6Address(match.group()))
        except AddressValueError:
            continue


_CARD_DIGITS = re.compile(r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{2}")
_CARD = re.compile(
    r"(?<![A-Za-z0-9_.+-])(?<!\d[ /])"
    r"(?:\d{4}(?P<mark>[ -]?)\d{4}(?P=mark)\d{4}(?P=mark)\d{4}(?:(?P=mark)\d{3})?"
    r"|\d{4}(?P<short>[ -]?)\d{6}(?P=short)\d{4,5})(?![A-Za-z0-9_-]|\.\d| \d{4})"
)
# Issuer prefixes with the lengths they use: Visa, Mastercard (two ranges), American Express,
# Discover, Diners Club, JCB, UnionPay (ISO/IEC 7812 issuer identification numbers).
_ISSUERS = re.compile(
    r"4(?:\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}(?:\d{3})?"
)


def find_cards(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _CARD.finditer(text) if _CARD_DIGITS.search(text) else ():
        digits = re.sub(r"\D", "", match.group())
        if _ISSUERS.fullmatch(digits) and has_check_digit(digits) and not _is_a_firm(text, match, digits):
            yield match.start(), match.end(), digits


_CARD_WORD = re.compile(r"\b(?:cards?|cc|credit|debit|diners|carte|tarjeta|cart[aã]o|karte)\b", re.IGNORECASE)


def _is_a_firm(text: str, match: re.Match[str], digits: str) -> bool:
    """Whether fourteen digits in a row are a French firm's (SIRET): the first nine have a check digit too."""
    bare = match.group() == digits and len(digits) == 14
    return bare and has_check_digit(digits[:9]) and not _CARD_WORD.search(_before(text, match.start(), 48))


def has_check_digit(digits: str) -> bool:
    """Whether the last digit fits the others by Luhn's rule."""
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _before(text: str, start: int, length: int) -> str:
    return text[max(0, start - length) : start]


# In order of precedence.
_FINDERS: dict[Sort, Finder] = {
    "token": find_tokens,
    "assigned": find_assigned,
    "card": find_cards,
    "email": find_emails,
    "ip": find_addresses,
    "phone": find_phones,
}
KINDS: dict[Sort, PiiKind] = {
    "token": "secret",
    "assigned": "secret",
    "card": "card",
    "email": "email",
    "ip": "ip",
    "phone": "phone",
}
