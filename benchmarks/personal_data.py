# ruff: noqa: RUF001
"""Personal data and secrets: how much is found of what others publish, and what is found in code.

    python -m benchmarks.personal_data [--sentences FILE] [--code FOLDER …] [--megabytes N] [--show N]

Needs `phonenumbers` (the extra `test`): its example numbers of all regions, as they are written there, stand
behind the words for a telephone of fifteen languages, and in the sentences of presidio-research
(tests/data/presidio). Secrets have the shapes of gitleaks' rules (tests/data/gitleaks) and are made up from
a seed. `--sentences` is a labelled file of presidio-research, such as its synth_dataset_v2.json. `--code`
counts what is found in files that hold nothing to find, N megabytes of each folder; `--show` prints what was
missed or found of each sort.
"""

import argparse
import gzip
import hashlib
import json
import random
import re
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.recipe.stages import PiiKind
from curation.stages.pii.personal_data import Finding, find, has_check_digit

ROOT = Path(__file__).resolve().parents[1]
SHAPES = ROOT / "tests" / "data" / "gitleaks" / "shapes.tsv"
TEMPLATES = ROOT / "tests" / "data" / "presidio" / "templates.txt"
SEED = 17
SUFFIXES = ".py .pyi .js .ts .json .md .rst .txt .html .c .h .css .yml .yaml .toml .cfg .sh .svg .gz"
CODE = frozenset(("", *SUFFIXES.split()))
SKIPPED = frozenset(("site-packages", "test", "tests"))
# Made for documents (RFC 5737, RFC 3849): these are addresses, and no false hits.
DOCUMENTATION = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")


class Planted(NamedTuple):
    """A text that holds one value, and the value."""

    sort: str
    kind: PiiKind
    text: str
    value: str


# Where a value stands without a space beside it, by script.
GLUED = (
    "请发邮件到{}联系我", "メールは{}まで", "이메일은 {}입니다", "อีเมล{}ครับ", "ອີເມວ{}ແມ່ນ",
    "អ៊ីមែល{}បាន", "ईमेल:{}।", "Письмо на {}, спасибо", "البريد {}،", "<{}>", "mailto:{}", "({})", "{}.", "{}:",
)  # fmt: skip
DOMAINS = """
    com org net edu de fr rs md py sh pl so is am gov.uk com.py co.kr me io app dev museum travel xn--p1ai
"""
PHONE_WORDS: dict[str, tuple[str, ...]] = {
    "en": ("Phone: {}", "call me at {}", "Tel. {}", "my mobile number is {}", "Phone:\n{}"),
    "de": ("Telefon: {}", "Tel.: {}", "Handynummer {}", "Rufen Sie mich unter {} an", "Mobil: {}"),
    "fr": ("Tél. : {}", "Téléphone : {}", "appelez-moi au {}", "Portable : {}"),
    "es": ("Teléfono: {}", "Tel: {}", "llámame al {}", "Móvil: {}", "mi celular es {}"),
    "it": ("Telefono: {}", "Cellulare: {}", "chiamami al {}", "Tel. {}"),
    "pt": ("Telefone: {}", "Celular: {}", "ligue para {}", "Telemóvel: {}"),
    "nl": ("Telefoon: {}", "bel me op {}", "Telefoonnummer: {}", "Mobiel: {}"),
    "pl": ("Telefon: {}", "tel. {}", "Komórka: {}", "zadzwoń pod numer {}"),
    "ru": ("Телефон: {}", "тел. {}", "звоните по номеру {}", "Моб.: {}"),
    "tr": ("Telefon: {}", "Cep: {}", "beni arayın: {}", "Tel: {}"),
    "zh": ("电话：{}", "手机{}", "联系电话: {}", "電話號碼：{}"),
    "ja": ("電話番号：{}", "電話：{}", "携帯{}", "TEL {}"),
    "ko": ("전화번호: {}", "전화 {}", "휴대폰: {}", "연락처: {}"),
    "ar": ("هاتف: {}", "رقم الهاتف {}", "جوال: {}", "اتصل على {}"),
    "hi": ("फ़ोन: {}", "फोन नंबर {}", "मोबाइल: {}"),
}
IN_PROSE = (
    "{}", "Use {} for the deploy.", "login with {}", "my key is {}, keep it safe", "`{}`", '"{}"', "({})",
    "令牌是{}请保密", "https://example.com/x?t={}&y=1", "key: {}\nnext: 2", "토큰은 {}입니다", "<b>{}</b>",
)  # fmt: skip
# What gitleaks holds its own rules to, and a few more.
ASSIGNED = (
    '{i}Token="{s}"', '{i}Token = "{s}"', "{i}Token={s}", "{i}Token = {s}", '{{\n    "{i}_token": "{s}"\n}}',
    '{{"config.ini": "{I}_TOKEN={s}\\nBACKUP_ENABLED=true"}}', "<{i}Token>\n    {s}\n</{i}Token>",
    "{i}_token: {s}", "{i}_token: '{s}'", '{i}_token: "{s}"', 'string {i}Token = "{s}";',
    'var {i}Token string = "{s}"', '{i}Token := "{s}"', "{i}Token := `{s}`", 'String {i}Token = "{s}";',
    'var {i}Token = "{s}"', '${i}Token .= "{s}"', "{i}Token = '{s}'",
    'System.setProperty("{I}_TOKEN", "{s}")', '  "{i}Token" => "{s}"', '{i}_TOKEN ::= "{s}"',
    '{i}_TOKEN :::= "{s}"', '{i}_TOKEN ?= "{s}"',
    "export {I}_API_KEY={s}", "{I}_SECRET={s}", "{i}_password: {s}", "--{i}-api-key {s}",
    "X-{i}-Api-Key: {s}",
)  # fmt: skip
ALPHABETS = {
    "letters and digits": string.ascii_letters + string.digits,
    "base64": string.ascii_letters + string.digits + "+/",
    "base64 for URLs": string.ascii_letters + string.digits + "-_",
    "hex": "0123456789abcdef",
    "capitals and digits": string.ascii_uppercase + string.digits,
    "lower case and digits": string.ascii_lowercase + string.digits,
}
PASSWORD = string.ascii_letters + string.digits + "!#$%&*+-=?@^_~"

_PIECE = re.compile(r"\[(?P<members>(?:\\.|[^\]\\])+)\](?:\{(?P<times>\d+)\})?|(?P<literal>.)", re.DOTALL)


def made(shape: str, rng: random.Random) -> str:
    """A value of a shape: letters as they stand and `[class]{times}`."""
    parts = []
    for piece in _PIECE.finditer(shape):
        if piece["literal"]:
            parts.append(piece["literal"])
            continue
        members = re.sub(r"\\(.)", "\\1", re.sub(r"(\w)-(\w)", _between, piece["members"]))
        parts += rng.choices(members, k=int(piece["times"] or 1))
    return "".join(parts)


def _between(ends: re.Match[str]) -> str:
    return "".join(map(chr, range(ord(ends[1]), ord(ends[2]) + 1)))


def shapes() -> Iterator[tuple[str, str, str, str]]:
    """(rule, name it stands behind or none, text right before it or none, shape) of gitleaks' rules."""
    for line in SHAPES.read_text(encoding="utf-8").splitlines():
        rule, name, before, shape = line.split("\t")
        yield rule, name, before, shape


def emails() -> Iterator[Planted]:
    for number, domain in enumerate(DOMAINS.split()):
        value = f"ana.{number}@firma.{domain}"
        for text in GLUED:
            yield Planted("e-mail", "email", text.format(value), value)


def phones(languages: Iterable[str] = PHONE_WORDS) -> Iterator[Planted]:
    """The example numbers of phonenumbers' regions: as written at home behind a word, and with + and code."""
    import phonenumbers as lib

    for language in languages:
        examples = [
            number
            for region in sorted(lib.SUPPORTED_REGIONS)
            for sort in (lib.PhoneNumberType.FIXED_LINE, lib.PhoneNumberType.MOBILE)
            if (number := lib.example_number_for_type(region, sort))
        ]
        said = {
            lib.format_number(number, form): form
            for number in examples
            for form in (lib.PhoneNumberFormat.NATIONAL, lib.PhoneNumberFormat.INTERNATIONAL)
        }
        plain = (
            {lib.national_significant_number(number) for number in examples} if language == "en" else set()
        )
        words = PHONE_WORDS[language]
        for place, text in enumerate(sorted({*said, *plain})):
            word = words[place % len(words)]
            yield Planted(f"phone behind a word, {language}", "phone", word.format(text), text)
            if language == "en" and said.get(text) == lib.PhoneNumberFormat.INTERNATIONAL:
                yield Planted("phone with + and code", "phone", f"That is {text}.", text)


def secrets(times: int = 3) -> Iterator[Planted]:
    rng = random.Random(SEED)
    for rule, name, before, shape in shapes():
        for number in range(times * len(IN_PROSE if not name else ASSIGNED) // 4):
            value = made(shape, rng)
            if name:
                text = ASSIGNED[number % len(ASSIGNED)].format(i=name, I=name.upper(), s=value)
                yield Planted("secret assigned", "secret", text, value)
            else:
                text = IN_PROSE[number % len(IN_PROSE)].format(before + value)
                yield Planted(f"prefix {rule}", "secret", text, value)


def random_keys(times: int = 1000) -> Iterator[Planted]:
    """Keys of forty characters, and passwords of twelve, behind a name."""
    rng = random.Random(SEED)
    for sort, alphabet in ALPHABETS.items():
        for number in range(times):
            value = "".join(rng.choices(alphabet, k=40))
            text = ("API_KEY={}", '"api_key": "{}"', "token: {}", "SECRET_ACCESS_KEY = '{}'")[number % 4]
            yield Planted(f"forty of {sort}", "secret", text.format(value), value)
    for number in range(times):
        value = "".join(rng.choices(PASSWORD, k=12))
        text = ("DB_PASSWORD={}", "password: {}", '"password": "{}"', "passwd = '{}'")[number % 4]
        yield Planted("password of twelve", "secret", text.format(value), value)


_SLOT = re.compile(r"\{\{(\w+)\}\}")


def sentences(times: int = 20) -> Iterator[Planted]:
    """The sentences of presidio-research, filled with examples, one for each value that stands in them."""
    import phonenumbers as lib

    rng = random.Random(SEED)
    regions = sorted(lib.SUPPORTED_REGIONS)

    def phone() -> str:
        number = lib.example_number(rng.choice(regions))
        assert number is not None
        form = rng.choice((lib.PhoneNumberFormat.NATIONAL, lib.PhoneNumberFormat.INTERNATIONAL))
        return str(lib.format_number(number, form))

    fill: dict[str, tuple[PiiKind, Callable[[], str]]] = {
        "phone_number": ("phone", phone),
        "email": ("email", lambda: f"ana.{rng.randrange(99)}@firma.example"),
        "ip_address": ("ip", lambda: ".".join(str(rng.randrange(101, 126)) for _ in range(4))),
        "credit_card_number": ("card", lambda: with_check_digit("4" + made("[0-9]{14}", rng))),
    }
    for template in TEMPLATES.read_text(encoding="utf-8").splitlines() * times:
        values: list[tuple[PiiKind, str]] = []
        text = ""
        for at, piece in enumerate(_SLOT.split(template.replace("\\n", "\n"))):
            if at % 2 and piece in fill:
                kind, make = fill[piece]
                values.append((kind, make()))
                text += values[-1][1]
            else:
                text += "Ana" if at % 2 else piece
        for kind, value in values:
            yield Planted(f"sentence, {kind}", kind, text, value)


def with_check_digit(digits: str) -> str:
    """The digits with the one behind them that Luhn's rule asks for."""
    return next(whole for last in "0123456789" if has_check_digit(whole := digits + last))


_LABELS: dict[str, PiiKind] = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip", "CREDIT_CARD": "card",
}  # fmt: skip


def labelled(path: Path) -> Iterator[Planted]:
    """The sentences of presidio-research, one for each value of a kind that we look for."""
    for sentence in json.loads(path.read_text(encoding="utf-8")):
        for span in sentence["spans"]:
            if kind := _LABELS.get(span["entity_type"]):
                yield Planted(f"presidio {kind}", kind, sentence["full_text"], span["entity_value"])


def is_hidden(planted: Planted) -> bool:
    """Whether nothing of a value that could be used is left: all of an address, most of anything else."""
    start = planted.text.index(planted.value)
    end = start + len(planted.value)
    shown = set(range(start, end))
    for finding in find(planted.text):
        shown -= set(range(finding.start, finding.end))
    left = sum(planted.text[at].isalnum() for at in shown)
    return left <= (0 if planted.kind == "email" else 0.12 * len(planted.value))


def is_clean(planted: Planted) -> bool:
    """Whether what is hidden is the value and nothing beside it."""
    start = planted.text.index(planted.value)
    return all(f.start >= start and f.end <= start + len(planted.value) for f in find(planted.text))


def in_code(folder: Path, megabytes: float) -> Iterator[tuple[str, Finding, str]]:
    """What is found in files of a folder, e-mail addresses apart: (file, finding, its text)."""
    left = megabytes * 1e6
    names = (
        p
        for p in folder.rglob("*")
        if p.suffix in CODE
        and not any(part in SKIPPED for part in p.relative_to(folder).parts)
        and p.is_file()
        and not p.is_symlink()
    )
    for path in sorted(names, key=lambda p: hashlib.sha256(str(p.relative_to(folder)).encode()).hexdigest()):
        if not 200 < path.stat().st_size < 400_000:
            continue
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", "replace")
        left -= len(text)
        for finding in find(text):
            if finding.kind != "email" and not finding.value.startswith(DOCUMENTATION):
                yield str(path), finding, text
        if left < 0:
            return


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="personal data: what is found, and what is found in code")
    parser.add_argument("--sentences", type=Path, help="presidio-research's synth_dataset_v2.json")
    parser.add_argument("--code", type=Path, nargs="*", default=[], help="folders that hold nothing to find")
    parser.add_argument("--megabytes", type=float, default=5.0, help="of each folder")
    parser.add_argument("--show", type=int, default=0, help="missed or found values of each sort to print")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)

    planted = [*emails(), *phones(), *sentences(), *secrets(), *random_keys()]
    planted += labelled(options.sentences) if options.sentences else []
    sorts: dict[str, list[Planted]] = {}
    for value in planted:
        sorts.setdefault("prefix" if value.sort.startswith("prefix ") else value.sort, []).append(value)
    figures: dict[str, Any] = {}
    for sort, values in sorts.items():
        missed = [value for value in values if not is_hidden(value)]
        figures[sort] = {"of": len(values), "found": len(values) - len(missed)}
        if sort == "prefix":
            figures[sort]["rules_missed"] = sorted({value.sort[7:] for value in missed})
        shown = missed[:: max(1, len(missed) // options.show)][: options.show] if options.show else []
        if not options.json:
            found = len(values) - len(missed)
            print(f"{sort:34} {found:6,} of {len(values):6,}  {found / len(values):.4f}")
            print("".join(f"    {value.sort}: {value.text!r}\n" for value in shown), end="")
    for folder in options.code:
        hits = list(in_code(folder, options.megabytes))
        figures[f"found in {folder}"] = len(hits)
        if not options.json:
            print(f"found in {folder}: {len(hits)}")
            for path, finding, text in hits[: options.show * 4]:
                around = text[max(0, finding.start - 40) : finding.end + 20]
                print(f"    {finding.kind} {path}: {around!r}")
    if options.json:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
