"""What a recipe says is public, so that it stays as it is written: `pii: {keep: [...]}`."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from curation.recipe.stages import PiiKind
from curation.stages.pii.personal_data import Finding

_DOMAIN = re.compile(r"@?((?:[\w-]+\.)+[^\W\d]\w{1,23})")


class Public:
    """Says of a finding whether an entry of the recipe means it.

    An entry is a value, however it is spelt; a domain, with all addresses there and below it; a network; or a
    pattern with `*` for any number of signs.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._entries = bool(entries)
        self._domains: list[str] = []
        self._networks: list[IPv4Network | IPv6Network] = []
        self._patterns: list[re.Pattern[str]] = []
        self._values: set[str] = set()
        for entry in entries:
            if "*" in entry:
                pattern = ".*".join(map(re.escape, entry.split("*")))
                self._patterns.append(re.compile(pattern, re.IGNORECASE | re.DOTALL))
            elif domain := _DOMAIN.fullmatch(entry):
                self._domains.append(domain[1].lower())
            elif network := _network(entry):
                self._networks.append(network)
            else:
                self._values |= {entry.lower(), re.sub(r"[^0-9]", "", entry)} - {""}

    def __call__(self, finding: Finding, written: str) -> bool:
        """written: the finding as it stands in its text."""
        if not self._entries:
            return False
        kind, value = finding.kind, finding.value
        return (
            self._is_value(kind, value, written)
            or any(pattern.fullmatch(text) for pattern in self._patterns for text in (written, value))
            or (kind == "email" and any(_is_at(value, domain) for domain in self._domains))
            or (kind == "ip" and any(ip_address(value) in network for network in self._networks))
        )

    def _is_value(self, kind: PiiKind, value: str, written: str) -> bool:
        return written.lower() in self._values or (kind in ("phone", "card") and value in self._values)


def _is_at(address: str, domain: str) -> bool:
    host = address.rpartition("@")[2]
    return host == domain or host.endswith(f".{domain}")


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    """The network of an entry; a lone address is one of its own."""
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None
