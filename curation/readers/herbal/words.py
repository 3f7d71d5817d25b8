"""The vocabulary of herbals: section labels, back matter, name grammar and what essays speak of."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Topic → the labels under which herbals print it, as one regular expression. The order matters:
# a longer label stands before the shorter one that begins it.
LABELS: dict[str, str] = {
    "place_time": r"place and time|time and place",
    "description": r"descript(?:ion|\.)?(?: of [^.\]]{1,40})?|descr\.?|(?:botanical )?characteristics?"
    r"|botanical descript(?:ion|\.)|botanical characters",
    "place": r"places?|(?:preferred |history and )?habitat(?: and (?:range|distribution))?|where found"
    r"|(?:geographical )?distribution",
    "time": r"time|season|flowering(?: (?:time|season))?",
    "virtues": r"government and vi?e?rtues|government|(?:the )?vi?e?rtues?(?: and uses?)?"
    r"|medic(?:in)?al (?:action(?:s? and uses?)?|uses?|virtues|properties(?: and uses?)?)"
    r"|(?:properties|actions?|action, medical properties) and uses?|therapeutics|physiological action"
    r"|specific indications?(?: and uses?)?|uses? and (?:virtues|properties)|properties",
    "used": r"uses?",
    "nature": r"temperature|temperament|nature",
    "names": r"names?|synonyms?|syn\.|com(?:mon|\.) names?|other (?:common )?names|nom\. ?vulg\.?",
    "kinds": r"kindes?|kinds|sorts",
    "botany": r"botanical(?: (?:name|source|origin))?|nat(?:ural|\.) ord(?:er|\.)|n\. ?o(?:rd)?\.|family",
    "constituents": r"(?:chemical )?constituents?|chemical (?:composition|analysis)",
    "parts": r"parts? (?:used|employed)(?: and preparation)?",
    "collection": r"collection(?:,? prices?)?(?:,? and uses?)?",
    "substitutes": r"(?:substitutes?|adulterations?)(?: and (?:substitutes?|adulterations?))?",
    "cultivation": r"cultivation|culture",
    "dose": r"dos(?:e|age)s?",
    "danger": r"dangers?|cautions?|poison and antidotes?",
    "history": r"history|folk-?lore|lore",
    "making": r"(?:the )?college|preparations?(?: and dosages?)?|receipts?|recipes?",
    "comment": r"culpeper|remarks?|observations?|comment",
}
# Topics told in a few words: a paragraph without a label that follows them speaks of the plant in general.
SHORT_TOPICS = frozenset({"place", "time", "place_time", "names", "botany", "parts", "dose", "kinds"})
# Labels that only a plant has: one of them makes the heading above a plant.
PLANT_TOPICS = frozenset(
    {
        "description",
        "place",
        "time",
        "place_time",
        "virtues",
        "nature",
        "names",
        "kinds",
        "parts",
        "botany",
        "constituents",
        "used",
    }
)

FRONT_MATTER = re.compile(
    r"preface|introduct|contents|to the (?:\w+ )?reader|epistle|dedicat|foreword|prologue|proem"
    r"|advertisement|errata|abbreviat|glossar|list of|table of|illustrat|acknowledg|plates?\b"
    r"|title page|to his |to her |frontispiece|bibliograph|footnotes?|appendix|index|transcriber"
    r"|names of authors|weights and measures",
    re.I,
)
BACK_MATTER = re.compile(
    r"(?:general |the )?index\b|(?:a )?list of the principal|(?:the )?(?:finis|end)\W*$"
    r"|bibliograph|transcriber|advertisements?\b|the full project",
    re.I,
)
# A heading over several plants.
FAMILY = re.compile(
    r"\b(?:famil(?:y|ies)|natural orders?|tribe|sub-?order)\b|^\w{3,}(?:ace|ine)(?:ae|æ|œ)$"
    r"|^(?:legumin|umbellifer|labiat|composit|crucifer|gramine)(?:os)?(?:ae|æ)$",
    re.I,
)
# Words over a text that is no plant's own: parts of a book, sections of an entry without a topic.
NO_NAME = re.compile(
    r"(?:chap(?:ter|\.)?|book|parts?|plates?|tables?|vol(?:ume|\.)?|pages?|notes?|see|section|sect|class|genus"
    r"|order|letter|by|from|to|for|against|the end|finis|another|another way|ditto|remedies|remedy|dose|doses"
    r"|preparations?|decoctions?|infusions?|tinctures?|ointments?|poultices?|syrups?|conserves?|medicines?"
    r"|(?:fluid |solid )?extracts?|powders?|pills?|mixtures?"
    r"|general|case|lecture|experiment|observation|conclusion|summary|n\.? ?b|edible part|how|when|where"
    r"|what|why|printed|entered|copyright|price)\b",
    re.I,
)
STOP_WORDS = _words(
    "or of the and by to in with called also some usually known more properly name its a an for on from"
    " their this that these those there here it is are was were be as at if but not when which who he she"
    " they we you his her our your my all any each many most such other another one two three first second"
    " see also page said may can will has have had"
)
# Words of a name that many plants share.
COMMON_WORDS = _words(
    "herb root roots tree trees bark seed seeds leaf leaves plant plants flower flowers bush shrub weed grass"
    " wort oil gum water fruit berry berries nut family true common"
)
PLANT_WORDS = re.compile(
    r"\b(?:leaf|leaves|stems?|stalks?|roots?|rootstocks?|flowers?|blossoms?|petals?|berr(?:y|ies)|seeds?|fruits?"
    r"|bark|herbs?|plants?|shrubs?|trees?|grow(?:s|ing|eth)?|decoctions?|infusions?|tinctures?|juice|perennial|annual"
    r"|medicinal\w*|species|bloom\w*|branches|foliage|twigs?|bulbs?|pods?)\b",
    re.I,
)
CHAPTER = re.compile(
    r"(?:chap(?:ter|\.)?|book|part|section|sect\.?)\s*(?:[ivxlc]+|\d+|the \w+)\b[\s.:—-]*", re.I
)

ADJECTIVES = _words(
    "wild stinking common garden small great greater lesser less white black red yellow blue purple"
    " english french deadly sweet mountain horse meadow wood water sea dwarf bitter true prickly"
    " spotted golden cultivated other male female dog dog's creeping winter summer"
)
# Two adjectives of one of these sets, joined by `and`, speak of two plants.
OPPOSITES = tuple(
    _words(words)
    for words in (
        "white black red yellow blue purple golden",
        "greater lesser great small dwarf",
        "male female",
        "wild garden meadow cultivated horse sweet sea water wood mountain french dog",
        "winter summer",
    )
)
SINGULAR = _words("asparagus molasses sassafras pancreas avens")
SMALL_WORDS = _words(
    "or of the and by to in with called also some usually known vulgarly more properly name its a an"
    " for on from their"
)
ALIAS = re.compile(
    r"[,;]?\s+(?:or,?|called|vulgarly|usually|commonly|more properly|otherwise|also called|alias)\s.*$"
    r"|[;(—].*$|--.*$",
    re.I,
)

# What a passage of an essay speaks of, by the words it uses: (words, how many make it the topic).
PASSAGES: dict[str, tuple[str, int]] = {
    "chemistry": (
        r"chemical\w*|acids?|volatile oil|essential oil|tannin|albumen|starch|resin|mucilage|glucoside"
        r"|alkaloid|constituents?|principles?|potash|phosph\w+|sulphur|iodine|analys\w+",
        5,
    ),
    "kitchen": (
        r"eaten|salads?|cook\w*|sauces?|pickle\w*|puddings?|pies?|jam|jelly|soups?|broth|pot-?herb"
        r"|flavour\w*|vegetables?|table|dish\w*|stewed|wines?|beverage|bread|cakes?|preserves?",
        5,
    ),
    "lore": (
        r"legend\w*|supersti\w+|myth\w*|witch\w*|fair(?:y|ies)|gods?|goddess\w*|venus|ancients?|sacred"
        r"|charms?|romans?|greeks?|druids?|poets?|spenser|shakespeare|milton|tradition\w*|emblem\w*"
        r"|queen|king|saints?|magic\w*|devil|folk\w*|proverb\w*",
        5,
    ),
    "names": (
        r"name[ds]?|named|called|title[ds]?|derived|signif\w+|termed|latin|anglo-saxon|celtic|word"
        r"|appellation|corrupt\w+",
        6,
    ),
    "growth": (
        r"grows?|growing|order|leaf|leaves|stems?|stalks?|flowers?|blossoms?|petals?|roots?|berries"
        r"|seeds?|hedges?|woods|meadows?|banks?|fields|species|tribe|shrub|climb\w*|indigenous",
        7,
    ),
}
REMEDY = re.compile(
    r"\b(?:tinctures?|decoctions?|infusions?|doses?|drops|poultices?|ointments?|curative|cures?d?"
    r"|reliev\w+|relief|remed\w+|medicinal\w*|applied|teaspoonfuls?|wineglassfuls?|syrups?|lotions?"
    r"|gargles?|helps?|heals?|juice|boiled)\b",
    re.I,
)
AILMENTS: dict[str, str] = {
    "ague": r"agues?",
    "asthma": r"asthmas?",
    "bites and stings": r"stings?|bites|stung",
    "bleeding": r"bleeding(?! heart)|h(?:ae|æ|e)morrhages?|losses of blood|fluxes of blood",
    "boils": r"boils|carbuncles?",
    "bronchitis": r"bronchitis|bronchial",
    "bruises": r"bruises?|contus\w+",
    "burns and scalds": r"burns|scalds",
    "catarrh": r"catarrhs?|catarrhal",
    "chilblains": r"chilblains?",
    "colic": r"colic|cholic",
    "consumption": r"consumption|consumptive|phthisis|tubercul\w+",
    "constipation": r"constipation|costive\w*",
    "warts": r"warts?",
    "coughs": r"coughs?|hoarse\w*",
    "cramp": r"cramps?",
    "diabetes": r"diabetes",
    "diarrhoea": r"diarrh(?:oe|œ)a|looseness",
    "dropsy": r"dropsy|dropsical",
    "dysentery": r"dysentery",
    "earache": r"ear-?aches?|deaf\w*",
    "epilepsy": r"epilep\w+|falling sickness",
    "erysipelas": r"erysipelas|saint anthony's fire",
    "sore eyes": r"sore eyes|weak eyes|inflamed eyes|eyesight|ophthalm\w+",
    "fevers": r"fevers?|feverish",
    "flatulence": r"flatulen\w+",
    "gout": r"gout|gouty",
    "gravel and stone": r"gravel|stone in the bladder|calculi|calculus",
    "headache": r"head-?aches?|megrims?",
    "heart trouble": r"palpitations?|heart disease|dropsy of the heart",
    "hysteria": r"hysteri\w+",
    "indigestion": r"indigestion|dyspep\w+",
    "influenza": r"influenza",
    "itch": r"itch|itching",
    "jaundice": r"jaundice|bilious\w*",
    "melancholy": r"melancholy",
    "nervous complaints": r"nervous\w*|neuralgi\w+",
    "palsy": r"palsy|paralysis|paralytic",
    "piles": r"piles|h(?:ae|æ)morrhoids",
    "pleurisy": r"pleurisy|pleuri\w+",
    "rheumatism": r"rheumati\w+|lumbago|sciatica",
    "ringworm": r"ringworm|scurf",
    "scrofula": r"scroful\w+",
    "scurvy": r"scurvy|scorbutic|antiscorbutic",
    "shingles": r"shingles",
    "skin complaints": r"eczema|psoriasis|eruptions?|skin diseases?",
    "sleeplessness": r"sleepless\w*|insomnia",
    "sore throat": r"sore throats?|quinsy|throat",
    "sprains": r"sprains?",
    "toothache": r"tooth-?aches?",
    "ulcers": r"ulcers?|ulcerat\w+|sores",
    "whooping cough": r"whooping cough",
    "worms": r"(?<!silk )(?<!earth)\bworms",
    "wounds": r"wounds?|cuts",
}
