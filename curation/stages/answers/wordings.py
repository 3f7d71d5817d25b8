"""What an answer says that none should: rests of templates, refusals, another speaker's turn."""

import re
from collections.abc import Callable, Iterator


def _any(words: str) -> str:
    """A pattern of one of some words; a full stop in one stands for a space."""
    return "(?:" + "|".join(word.replace(".", " ") for word in words.split()) + ")"


def _one_of(marks: str) -> tuple[str, ...]:
    return tuple(marks.split("|"))


_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_TEMPLATE = re.compile(
    r"(?:<|&lt;|\[)\s*(?:no[ _]?(?:in|out)put|无输入|無輸入|无输出)\s*(?:>|&gt;|\])"
    r"|\n[\"']?no[ _]?input\.?[\"']?\s*$|^[\"']?(?:no_?input|无输入)\.?[\"']?\s*$"
    r"|(?<![\w<])<<<[a-z_]\w*>>>(?!\()"
    r"|(?<![${])\{\{\s*[a-z_][\w.]*\s*\}\}",
    re.IGNORECASE,
)

_WHOSE = _any(
    "job phone business product event hiring email contact sender recipient company customer client employee"
    " manager employer candidate \\w+'s \\w+\u2019s"
)
_WHAT = _any("name date time address position title information info location link website number")
_ALONE = _any("name company date time address location city")
_BLANK = re.compile(
    r"\[(?<![\w\])]\[)(?<!\w\(\[)(?:"
    r"(?:please |to )?(?:your|insert|fill in|include|provide|(?:enter|add) (?:your|the|an?))\b[^\]\n]{0,60}"
    rf"|(?:the |full |first |last )?{_ALONE}|(?:{_WHOSE} ){{1,3}}{_WHAT}"
    r"|[您你]的[^\]\n]{1,12}|(?:Ihre?|Deine?|Votre|Tu|Su|Seu|Il tuo) [^\]\n]{1,30}"
    r")\](?![(\[])",
    re.IGNORECASE,
)
_INSERT = re.compile(r"\bINSERT [A-Z ]{2,40} HERE\b")
_BLANKS_ASKED = re.compile(r"template|placeholder|boilerplate|fill[- ]in|\[[^\]\n]+\]|模板", re.IGNORECASE)

_AI = r"(?:AI\b|A\.I\.|artificial intelligence\b)"
_MODEL = rf"(?:{_AI} (?:(?:language )?model|assistant|chatbot|system)|language model)"
_NO_PERSON = (
    rf"(?! (?:\w+ )?{_any('developer engineer researcher trainer expert scientist company startup')})"
)
_AS_AN_AI = re.compile(
    r"(?<!used )(?<!such )(?<!known )(?<!acts )(?<!serve )(?<!serves )\bas an? (?:"
    rf"(?:[\w-]+ ){{0,3}}?{_MODEL}{_NO_PERSON}|{_AI}(?=,(?! you)| I\b))"
    rf"|\bI(?:'m| am|\u2019m) (?:just |only |actually )?an? (?:[\w-]+ ){{0,2}}?(?:{_AI}|language model)"
    rf"{_NO_PERSON}"
    r"|\b(?:I was|I am|I'm) (?:created|developed|trained) by OpenAI\b"
    r"|\bmy (?:knowledge cut-?off|training data)\b"
    r"|作为(?:一个|一名|一款|一种)?(?:AI|人工智能|语言模型|大型?语言)"
    r"|\bals (?:eine? )?(?:KI\b|künstliche Intelligenz|Sprachmodell)"
    r"|\ben tant qu(?:e |')(?:modèle de langage|IA\b|intelligence art)"
    r"|\bcomo (?:un |um |una |uma )?(?:modelo de (?:lenguaje|linguagem)|IA\b|intelig[eê]ncia artificial)",
    re.IGNORECASE,
)

_SORRY = (
    r"(?:(?:I(?:'m| am|\u2019m)|we(?:'re| are)) (?:\w+ )?sorry|sorry|my apologies|I (?:\w+ )?apologi[sz]e"
    r"|unfortunately|regrettably|as an? [^,.]{2,60},)"
)
_CANNOT = (
    r"I(?: (?:can(?:no|'|\u2019)t|can not|won(?:'|\u2019)t|will not|must decline"
    r"|do(?: not|n't) have the (?:ability|capability|capacity))"
    r"|(?: am|'m|\u2019m) (?:not able|unable|not capable|not programmed|not designed|not equipped))"
)
_DEED = _any(
    "help assist fulfil comply complet provid generat creat writ produc answer access brows open view process"
    " analy[sz] translat perform engag discuss support continu respond predict draw display play search"
    " recommend shar carry.out execut encourag condon promot offer"
)
_GIVE = r"giv(?:e|ing) (?:you )?(?:medical|legal|financial|advice|an? accurate|a definit)"
_REFUSES = re.compile(
    rf"^[^\w\"\u201c]{{0,3}}(?:(?:{_SORRY}[^.!?\n]{{0,120}}?\b)?{_CANNOT} (?:(?:be able )?to |of )?"
    rf"(?:\w+ly |in good conscience )?(?:{_DEED}|{_GIVE})"
    rf"|{_SORRY}[^.!?\n]{{0,20}}?\b{_CANNOT} do (?:that|this)\b)"
    r"|^\W{0,3}(?:对不起|抱歉|很抱歉|非常抱歉|不好意思)[^。\n]{0,40}(?:不能|无法|不会)"
    r"|^\W{0,3}(?:Lo siento|Disculpa|Desculpe|Lamento|(?:Je suis )?désolée?|(?:Es )?tut mir leid)"
    r"[^.!?\n]{0,60}\b(?:no puedo|não posso|ne peux pas|ne suis pas en mesure|kann ich|ich kann)\b",
    re.IGNORECASE,
)

_SPEAKER = re.compile(
    r"\n\s*(?:###? ?(?:Instruction|Human|User|Assistant|Response):|(?P<said>Human|User|USER|HUMAN): ?\S"
    r"|\d{1,3}\s?\.\s?(?:Instruction|指令|说明)\s?[:\uff1a])"
    r"|^### ?(?:Response|Assistant|Output):",
)
_SPEAKERS_ASKED = re.compile(
    rf"\b{_any('dialog conversation chat script interview human user bot assistant agent role log video')}"
    r"|\b(?:play|instruction)|对话",
    re.IGNORECASE,
)

_TEXT = _any(
    "text article passage paragraph sentences? poem story essay images? pictures? photos? document snippet"
    " code(?:.snippet)? excerpt transcript lyrics dataset statement equation table list.of.\\w+"
)
_A_TEXT = (
    r"(?:the|your|an?|any|some)"
    rf"(?: {_any('specific actual full complete original exact relevant entire given')})?"
    rf" {_TEXT}\b(?! (?:of your|editor|message))"
)
_NOT_THERE = re.compile(
    rf"\bplease (?:provide|share|paste|send|attach|upload|supply)(?: me)?(?: with)? {_A_TEXT}"
    rf"|\byou (?:have not|haven't|did not|didn't) (?:actually )?"
    rf"{_any('provided? included? attach(?:ed)? shared? pasted? supply supplied upload(?:ed)? given?')}"
    rf" (?:me )?(?:with )?{_A_TEXT}"
    rf"|\bno {_TEXT} (?:was |is |were |has been |have been )?(?:provided|given|attached|included|shared)"
    r"|请提供[^。\n]{0,8}(?:文本|文章|句子|图片|段落|代码)",
    re.IGNORECASE,
)
_POINTS_AT = re.compile(
    rf"\b{_any('see shown.(?:in|by) seen.in illustrated.in depicted.in listed.in given.in refer.to in')}"
    rf" (?:the )?{_any('figure fig table chart diagram graph plate illustration')}\.? \d+"
    r"|\baccording to the (?:passage|article|excerpt|text|paragraph)\b",
    re.IGNORECASE,
)
_SHOWN = re.compile(r"!\[|<img|\||\\begin\{|\n\s*(?:figure|table) \d", re.IGNORECASE)
_NAMED_LAST = _any(
    "text article passage paragraph sentences? poem story essay letter images? pictures? photos? document"
    " code snippet excerpt transcript conversation dialogue lyrics statements? email tweet quote"
    " headline review data dataset table graph chart list words numbers items equations?"
)
_ASKS = re.compile(
    rf"\b(?:following|attached) (?:[\w'-]+ ){{0,2}}?{_NAMED_LAST}[\W_]*$"
    r"|(?:以下|下面)的?(?:文本|文章|句子|段落|图片|代码|列表)[\W_]*$",
    re.IGNORECASE,
)
ASK_MARKS = ("ollowing", "ttached", "以下", "下面")
SHORT = 200  # characters of a question that are too few to hold the text as well
BEGINNING = 300

# Of each kind's words a row has one where it is found, in whatever case. Beyond a hundred the search is slow.
MARKS = {
    "template_rest": _one_of("no input|noinput|no_input|output>|无输入|無輸入|无输出|<<<|{{"),
    "blank": _one_of(
        "[your|[insert|[enter|[fill in|[include|[provide|[您|[你|[ihr|[votre|[tu |insert |name]|company]"
        "|date]|address]|position]|title]|city]|location]|link]|website]|number]"
    ),
    "as_an_ai": _one_of(
        "language model|an ai |an ai,|an ai.|an artificial|by openai|my training data|my knowledge cut|作为"
        "|als ki|sprachmodell|en tant qu|modelo de l|como ia|como una i"
    ),
    "refusal": _one_of(
        "i cannot |i can't |i can\u2019t |i can not |unable to|not able to|i won't |i will not "
        "|have the ability|have the capa|am not |must decline|对不起|抱歉|no puedo|não posso|ne peux|kann ich"
        "|ich kann"
    ),
    "other_speaker": _one_of("instruction:|# human:|# user:|# assistant:|response:|human:|user:|指令|说明"),
    "missing_text": _one_of(
        "please provide|please share|please paste|please send|please upload|you have not|you haven't"
        "|you did not|you didn't|no text |请提供|according to the |figure |fig. |in table |to table |diagram "
        "|attached"
    ),
}


def _around(said: str, marks: tuple[str, ...]) -> str:
    """A text, or of a long one what stands around some words in lower case: patterns take their time."""
    if len(said) < 2 * SHORT:
        return said
    lower = said.lower()
    places = sorted(place for mark in marks for place in _places(lower, mark))
    return "\n".join(said[max(0, place - SHORT) : place + SHORT] for place in places)


def _places(text: str, mark: str) -> Iterator[int]:
    place = text.find(mark)
    while place >= 0:
        yield place
        place = text.find(mark, place + SHORT // 2)


def template_rest(text: str) -> str | None:
    """A rest of the template that a text was made with."""
    found = _TEMPLATE.search(text)
    if found and "`" in text:
        found = _TEMPLATE.search(_CODE.sub(" ", text))
    return found.group().strip() if found else None


def blank(asked: str, said: str) -> str | None:
    """A blank that is left to be filled in, where nobody asked for a template."""
    found = _BLANK.search(said) or _INSERT.search(said)
    return found.group() if found and not _BLANKS_ASKED.search(asked) else None


def as_an_ai(asked: str, said: str) -> str | None:
    """How an answer speaks of itself as a model."""
    found = _AS_AN_AI.search(_around(said, MARKS["as_an_ai"]))
    return found.group() if found and found.group() not in asked else None


def refusal(asked: str, said: str) -> str | None:
    """How an answer begins that declines what was asked."""
    found = _REFUSES.search(said[:BEGINNING])
    return found.group() if found else None


def other_speaker(asked: str, said: str) -> str | None:
    """The opening of another speaker's turn inside an answer."""
    found = _SPEAKER.search(said)
    if found is None or (found["said"] and (_SPEAKERS_ASKED.search(asked) or said.startswith(found["said"]))):
        return None
    return found.group().strip()


def missing_text(asked: str, said: str) -> str | None:
    """Where an answer asks for the text that it was to work on, or speaks of one that nobody showed it."""
    found = _NOT_THERE.search(said[: 2 * BEGINNING])
    if found is None and len(asked) < 2 * SHORT and not _SHOWN.search(asked) and not _SHOWN.search(said):
        found = _POINTS_AT.search(said[: 4 * BEGINNING])
    return found.group() if found else None


def text_left_out(asked: str) -> str | None:
    """Where a first question ends on the name of a text that does not follow."""
    found = (
        _ASKS.search(asked)
        if len(asked) < SHORT and ("follow" in asked or "ttached" in asked or "下" in asked)
        else None
    )
    return found.group().strip() if found else None


# What is looked for in an answer with its question, by kind.
LOOKS: dict[str, Callable[[str, str], str | None]] = {
    "template_rest": lambda asked, said: template_rest(said),
    "blank": blank,
    "refusal": refusal,
    "as_an_ai": as_an_ai,
    "other_speaker": other_speaker,
    "missing_text": missing_text,
}
