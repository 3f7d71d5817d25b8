"""How a herbal is asked: the wordings of every topic, each with verbs that agree with the name.

Fields: name, author (or the title), book, within, ailments, phrase, opening; is, does, has, it,
grows and looks agree with the name.
"""

ASK: dict[str, tuple[str, ...]] = {
    "description": (
        "What {does} {name} look like?",
        "How may {name} be known?",
        "How does {author} describe {name}?",
        "What description does {author} give of {name}?",
    ),
    "intro": (
        "What {is} {name}?",
        "How does {author} introduce {name}?",
        "What does {author} say first of {name}?",
    ),
    "named": (
        "By what other names {is} {name} known?",
        "What other names does {author} give for {name}?",
        "What else {is} {name} called?",
    ),
    "names": (
        "By what names {is} {name} known?",
        "What names does {author} give for {name}?",
    ),
    "kinds": ("What kinds of {name} are there?", "Which sorts of {name} does {author} tell of?"),
    "place": (
        "Where {does} {name} grow?",
        "Where may {name} be found?",
        "In what places should one look for {name}?",
        "Where does {author} say that {name} may be found?",
    ),
    "time": (
        "When {is} {name} in season?",
        "At what time of the year {does} {name} flower and come to seed?",
        "What does {author} say of the time of {name}?",
        "What is the season for {name}?",
    ),
    "place_time": (
        "Where and when {is} {name} to be found?",
        "Where {does} {name} grow, and at what time?",
    ),
    "nature": ("Of what nature {is} {name}?", "What temperature and nature does {author} give {name}?"),
    "virtues": (
        "What are the virtues of {name}?",
        "What {is} {name} good for, according to {author}?",
        "What virtues does {author} ascribe to {name}?",
        "How {is} {name} used in physic, according to {author}?",
    ),
    "virtues_more": (
        "What further virtues does {author} ascribe to {name}?",
        "What else does {author} say of the virtues of {name}?",
        "How does {author} go on about the virtues of {name}?",
        "What does {author} add at the end on {name}?",
    ),
    "constituents": ("What {does} {name} contain?",),
    "parts": ("Which parts of {name} are used?",),
    "cultivation": ("How {is} {name} grown?", "How should one cultivate {name}?"),
    "dose": ("In what dose {is} {name} given?",),
    "danger": ("What dangers {has} {name}?", "What caution does {author} give about {name}?"),
    "history": (
        "What history and lore {is_told} of {name}?",
        "What does {author} tell of the history of {name}?",
    ),
    "preparation": ("How {is} {name} prepared?", "What preparations of {name} does {author} give?"),
    "making": (
        "How {is} {name} made?",
        "What {is} {name} made of, and how?",
        "How does {book} direct {name} to be made?",
        "What is the receipt for {name}?",
    ),
    "comment": (
        "What {is} {name} good for, according to {author}?",
        "What does {author} say of {name}?",
        "What is {author}'s opinion of {name}?",
    ),
    "simple": (
        "What does {author} say of {name} among the {within}?",
        "In the catalogue of {within}, what is said of {name}?",
        "What virtues does {author} ascribe to {name}, listed under {within}?",
    ),
    "essay": (
        "What does {author} say of {name}?",
        "What {is} {name}, and what {is} {it} good for, according to {author}?",
        "What does {author} tell of {name}?",
        "What does {author} write about {name} as a remedy?",
    ),
    "first": (
        "What {is} {name}, according to {author}?",
        "How does {author} introduce {name}?",
        "How does {author} begin the account of {name}?",
    ),
    "chemistry": ("What {does} {name} contain, according to {author}?",),
    "kitchen": ("How {is} {name} used at table and in the kitchen?",),
    "lore": ("What lore and history does {author} tell of {name}?",),
    "passage_names": ("What does {author} say of the names of {name}?",),
    "growth": ("What does {author} say of how {name} {grows} and {looks}?",),
    "remedy": ("How {is} {name} used against {ailments}?",),
    "remedy_one": ("What help {does} {name} give against {ailments}?",),
    "uses": (
        "For what complaints does {author} advise {name}?",
        "What remedies does {author} make of {name}?",
    ),
    "phrase": ("What does {author} say of {phrase} in the account of {name}?",),
    "opening": ("In the account of {name}, what does {author} say in the passage that begins “{opening}”?",),
    "of": ("What does {author} teach of {name}?", "What should one know of {name}, according to {author}?"),
    "under": ("What does {author} write under the heading “{name}”?",),
    "chapter_first": ("How does {author} begin the chapter “{name}”?",),
    "chapter_phrase": ("What does {author} say of {phrase}?",),
    "chapter_opening": ("In “{name}”, what does {author} write in the passage that begins “{opening}”?",),
    "advice_for": (
        "What receipt does {author} give for {name}?",
        "What remedy does {author} advise for {name}?",
    ),
    "advice_other": ("What other receipt does {author} give for {name}?",),
    "advice_to": ("What does {author} advise {name}?", "What receipt does {author} give {name}?"),
    "advice_water": ("How does {author} make {name}?",),
    "advice_caution": ("What caution does {author} give {within}?",),
    "advice_on": ("What does {author} say of {name} {within}?",),
    "quotation": ("What old receipt does {author} quote {name}?",),
    "quotation_made": ("How {is} {name} made, in the old words that {author} quotes?",),
}
