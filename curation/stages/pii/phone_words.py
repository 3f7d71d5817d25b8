# ruff: noqa: RUF001
"""The words that announce a telephone number, in some thirty languages.

Asked of a number that stands in a text: the words before it are looked up one by one, so that the length of
the lists costs nothing.
"""

import re
from typing import Literal

_PHONE_WORDS = """
    ☎ ☏ ✆ 📞 📱
    phone phones telephone tel tels tele cellphone mobilephone mobile mob fax whatsapp hotline landline ph
    telefon telefons telefono teléfono telefone téléphone telephon tél téls tlf telf tfno fono telefoon
    telefonu telefonszám telefonní telefonni telefonul telefonum telefonunuz telepon telp ponsel handy
    mobil mobiltelefon festnetz rufnummer durchwahl móvil movil celular cel cellulare portable telemóvel
    telemovel mobiel gsm komórka komorka komórkowy kom cep faks puhelin puh kännykkä matkapuhelin điện
    thoại đt sđt телефон телефона телефону тел моб мобильный мобільний факс ватсап вотсап τηλέφωνο τηλ
    κινητό κιν φαξ טלפון טל נייד פקס هاتف الهاتف هاتفي جوال الجوال موبايل محمول المحمول تلفون تليفون فاكس
    واتساب تلفن موبایل फ़ोन फ़ोन फोन मोबाइल टेलीफोन व्हाट्सएप फैक्स ফোন মোবাইল தொலைபேசி ఫోన్ ફોન ਫੋਨ
"""
_CALL_WORDS = """
    cell desk call calls text texts dial reach contact ring sms answering anrufen anruf rufen ruf kontakt
    appelez appeler appelle contactez joindre llame llama llamar llámame llámenos llamame contacto marque
    chiama chiamami chiamate chiamare contatto contattare ligue ligar liga contato contacte bel bellen
    contacteer dzwoń zadzwoń zadzwon dzwonić volejte zavolejte hívja hívjon sunați sunati apelați ara
    arayın arayin arayınız iletişim ringa soita gọi hubungi звоните звони позвоните позвонить позвони
    контакт дзвоніть телефонуйте καλέστε اتصل اتصال للاتصال تواصل تماس कॉल संपर्क התקשר
"""
_AIMING_WORDS = """
    number numbers num no nr n nº n° us me him her them at on to nummer nummern unter auf mich uns sie mir
    numéro numero au moi nous par sur número al nos por ao para op mij ons numer numeru pod na nasz číslo
    cislo numarası numarasi numaram numaralı номер номеру номера по на नंबर नम्बर नं पर رقم الرقم رقمي على
    علی شماره số nomor numărul la
"""
_IDLE_WORDS = """
    a is was now it back toll free ist bitte die der dem le est mi su el es è il é o meu seu em het jest
    je мой наш मेरा है करें هو là
"""
# Behind these seven digits in a row are a number.
_PHONES = frozenset(_PHONE_WORDS.split())
# Behind these nine are, or fewer that are written in groups.
_CALLS = frozenset(_CALL_WORDS.split())
# Only with one of the next between: "messages to".
_MESSAGES = frozenset(("message", "messages"))
# May stand between, as in "call me at", and make it sure.
_AIMING = frozenset(_AIMING_WORDS.split())
# May stand between too.
_IDLE = frozenset(_IDLE_WORDS.split())
# Of scripts without spaces: a run of letters ends in one of these, and may have others behind it.
_UNSPACED_PHONES = (
    *("电话", "電話", "手机", "手機", "座机", "传真", "傳真", "热线", "熱線", "联系方式", "聯絡方式"),
    *(
        "携帯",
        "ファックス",
        "ファクス",
        "テレフォン",
        "連絡先",
        "연락처",
        "전화",
        "휴대폰",
        "휴대전화",
        "핸드폰",
    ),
    *("모바일", "팩스", "โทร", "โทรศัพท์", "มือถือ", "เบอร์", "แฟกซ์", "ໂທ", "ទូរស័ព្ទ", "ဖုန်း"),
)
_UNSPACED_CALLS = ("致电", "致電", "拨打", "撥打", "联系", "聯絡", "打", "拨", "连絡", "連絡", "연락", "ติดต่อ")
_UNSPACED_BETWEEN = re.compile(
    "(?:号码|號碼|号|號|番号|번호|是|为|為|は|이|가|는|은|로|으로|至|我|给|ที่|หมายเลข|คือ|ເບີ|លេខ)+$"
)
_NUMBER_SUFFIX = re.compile("(?:numbers?|nummern?|nr|no|num)$")
_WORD = re.compile(r"[^\s\d.,:;!?()\[\]{}\"'`´‘’“”«»=#*/|<>+~_\u2010-\u2015\uff1a\uff08\uff09&@$%\\-]+")
# What may stand between a word and the number.
_GAP = " \t\n\u00a0.:\uff1a=#*_\"'`´‘’“”«»([|>~\uff08+\\-"
_SENTENCE = re.compile(r"[^\d\n,;!?}]*$")
_MOST_BETWEEN = 4

# "phone" or "call": which sort of word announces a number.
Announcement = Literal["phone", "call"]


def look_ahead() -> str:
    """A pattern for Polars of every text, or JSON text, with a word and a number somewhere behind it."""
    words = {word for word in _PHONES | _CALLS | _MESSAGES if word.isascii()}
    short = "|".join(sorted(word for word in words if len(word) <= 4))
    long = "|".join(sorted(word for word in words if len(word) > 4))
    return (
        rf"(?:(?:^|[^A-Za-z]|\\[nrt])(?i-u:{short})(?:[^a-z]|n)|(?i-u:{long})|[^\x00-\x7f])"
        r"[^0-9,;!?}]*[0-9][0-9 ()./\u{a0}\u{202f}\u{2011}-]{5,12}[0-9]"
    )


def announced(before: str) -> Announcement | None:
    """Which sort of word the number behind `before` is announced by, if any."""
    words = before.rstrip(_GAP)
    if not words or not (words[-1].isalpha() or words[-1] > "\u02ff"):
        return None
    gap = before[len(words) :]
    if "\n" in gap and (":" not in gap or gap.count("\n") > 2):
        return None
    sentence = _SENTENCE.search(words.lower())
    assert sentence is not None
    aimed = False
    for word in reversed(_WORD.findall(sentence.group())[-1 - _MOST_BETWEEN :]):
        if sort := _sort(word):
            return "phone" if aimed else sort
        if aimed and word in _MESSAGES:
            return "call"
        aimed = aimed or word in _AIMING
        if word not in _AIMING and word not in _IDLE:
            return None
    return None


def _sort(word: str) -> Announcement | None:
    if word in _PHONES:
        return "phone"
    if word in _CALLS:
        return "call"
    if word.isascii():
        shorter = _NUMBER_SUFFIX.sub("", word)
        return _sort(shorter) if shorter != word else None
    if word[-1] >= "\u0e00":
        word = _UNSPACED_BETWEEN.sub("", word)
        if word.endswith(_UNSPACED_PHONES):
            return "phone"
        if word.endswith(_UNSPACED_CALLS):
            return "call"
    return None
