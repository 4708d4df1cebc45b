"""Find the people in an English prompt whose gender, skin tone and age the prompt leaves open.

Promises a conservative reading: a mention counts only when a noun of our lexicon heads a noun
phrase that a determiner or its place makes a subject, and nothing in or after the phrase says who
the person is (gender, origin, pronoun, name). Prompts about named, historic or invented people,
about real events, in the form of a report, or in another language give no mentions and a reason.
Leaves out coreference beyond "a doctor ... the doctor" and every language but English.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml

from byline.safety import language, people

Kind = Literal["adult", "generic", "child", "baby", "teen", "youth", "senior", "collective"]


@dataclass(frozen=True)
class Mention:
    """`start`:`end` is the noun, `insert` where describing words go, `phrase` the start of the noun
    phrase (its article). `age` is the age word that stands there already, `said` what else the phrase
    says: of body and disability."""

    start: int
    end: int
    insert: int
    phrase: int
    noun: str
    kind: Kind
    plural: bool
    number: int
    age: str = ""
    said: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reading:
    mentions: tuple[Mention, ...]
    left: str = ""  # why the prompt is left alone: "named", "historic", "event", "language", ...


@dataclass(frozen=True)
class _Lexicon:
    kinds: Mapping[str, Kind]
    plurals: Mapping[str, str]
    pairs: Mapping[str, tuple[str, str]]
    longest: int
    verbs: frozenset[str]
    gendered: frozenset[str]
    described: frozenset[str]
    ages: frozenset[str]
    not_human: frozenset[str]
    animals: frozenset[str]
    adjectives: frozenset[str]
    heads: frozenset[str]
    body: frozenset[str]
    determiners: frozenset[str]
    closed: frozenset[str]
    pronouns: frozenset[str]
    standins: frozenset[str]
    after: frozenset[str]
    said: Mapping[str, str]
    features: re.Pattern[str]
    historic: re.Pattern[str]
    event: re.Pattern[str]

    @property
    def specified(self) -> frozenset[str]:
        return self.gendered | self.described


_KEPT_ANIMALS = frozenset({"horse", "cow", "sheep", "goat", "pig", "chicken"})  # "a sheep farmer" is a person


@functools.cache
def _lexicon() -> _Lexicon:
    file = resources.files("byline.safety").joinpath("data/person_nouns.yaml")
    raw = yaml.safe_load(file.read_text("utf-8"))
    kinds: dict[str, Kind] = {}
    names: tuple[Kind, ...] = ("adult", "generic", "child", "baby", "teen", "youth", "senior", "collective")
    for kind in names:
        for noun in raw[kind].split(","):
            kinds[" ".join(noun.split())] = kind
    plurals = dict(raw["irregular_plurals"])
    for noun in kinds:
        plurals.setdefault(_plural(noun), noun)

    def words(key: str) -> frozenset[str]:
        return frozenset(raw[key].replace(",", " ").split())

    return _Lexicon(
        kinds=kinds,
        plurals=plurals,
        pairs={noun: (words_[0], words_[1]) for noun, words_ in raw["pairs"].items()},
        longest=max(n.count(" ") for n in kinds) + 1,
        verbs=words("verbs"),
        gendered=words("gendered"),
        described=words("described"),
        ages=words("ages"),
        not_human=words("not_human") | words("animals") - _KEPT_ANIMALS,
        animals=words("animals"),
        adjectives=words("adjectives"),
        heads=words("compound_heads"),
        body=words("body_parts"),
        determiners=words("determiners"),
        closed=words("closed_determiners"),
        pronouns=words("pronouns"),
        standins=words("standins"),
        after=words("after"),
        said={word: attribute for attribute in ("body", "disability") for word in words(f"said_{attribute}")},
        features=re.compile(rf"\b(?:{'|'.join(raw['features'])})\b", re.IGNORECASE),
        historic=re.compile(rf"\b(?:{'|'.join(raw['historic'])})\b", re.IGNORECASE),
        event=re.compile(rf"\b(?:{'|'.join(raw['event'])})\b", re.IGNORECASE),
    )


def pair(noun: str) -> tuple[str, str] | None:
    """The noun's own words for a woman and a man, e.g. ("mother", "father"), or None."""
    return _lexicon().pairs.get(noun)


def nouns() -> frozenset[str]:
    """Every noun for people, singular and plural, that is not also a common verb."""
    lexicon = _lexicon()
    plural = {word for word, noun in lexicon.plurals.items() if noun not in lexicon.verbs}
    return frozenset(set(lexicon.kinds) | plural)


def _plural(noun: str) -> str:
    if re.search(r"(?:s|sh|ch|x|z)$", noun):
        return noun + "es"
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + "s"


_TOKEN = re.compile(r"\d+[- ]year[- ]old|[A-Za-z][A-Za-z'’\-]*|\d+|[^\w\s]")
_NUMBERS = {"one": 1, "a": 1, "an": 1, "two": 2, "both": 2, "three": 3, "four": 4, "2": 2, "3": 3, "4": 4}
_FOLLOW = re.compile(r"(?:ing|ed|ly)$")


def read(prompt: str) -> Reading:
    """The open mentions of a prompt, left to right, or the reason why it is left alone."""
    if language.reading(prompt) not in {"english", "none"}:
        return Reading((), "language")
    if people.find(prompt) or people.tells_a_known_story(prompt) or people.may_name(prompt, nouns()):
        return Reading((), "named")
    if _lexicon().historic.search(prompt):
        return Reading((), "historic")
    if _lexicon().event.search(prompt):
        return Reading((), "event")
    return Reading(tuple(_mentions(prompt)))


class _Tokens:
    def __init__(self, prompt: str) -> None:
        matches = list(_TOKEN.finditer(prompt))
        self.spans = [m.span() for m in matches]
        self.raw = [m.group(0) for m in matches]
        self.low = [re.sub(r"['’]s$", "", w.lower()) for w in self.raw]
        self.possessive = [bool(re.search(r"(?:['’]s|s['’])$", w.lower())) for w in self.raw]

    def word(self, i: int) -> str:
        return self.low[i] if 0 <= i < len(self.low) else ""

    def is_word(self, i: int) -> bool:
        return self.word(i)[:1].isalpha() or self.word(i)[-3:] == "old"


@dataclass(frozen=True)
class _Candidate:
    """A lexicon noun: its first and last token, its singular, and the token where the next one begins."""

    first: int
    last: int
    noun: str
    plural: bool
    until: int


def _mentions(prompt: str) -> list[Mention]:
    lexicon, tokens = _lexicon(), _Tokens(prompt)
    nouns: list[tuple[int, int, str, bool]] = []
    i = 0
    while i < len(tokens.low):
        found = _noun(lexicon, tokens, i)
        if found is None:
            i += 1
            continue
        last, noun, plural = found
        nouns.append((i, last, noun, plural))
        i = last + 1
    seen: set[str] = set()
    out = []
    figures = False  # "lego figures of a doctor and a nurse": the nurse is one, too
    for k, (first, last, noun, plural) in enumerate(nouns):
        until = nouns[k + 1][0] if k + 1 < len(nouns) else len(tokens.low)
        joined = k > 0 and first - nouns[k - 1][1] <= 4 and "and" in tokens.low[nouns[k - 1][1] : first]
        figures = _is_figure(lexicon, tokens, first) or (figures and joined)
        mention = _judge(lexicon, tokens, _Candidate(first, last, noun, plural, until), seen)
        seen.add(noun)
        if mention is None or figures or _features_said(prompt, tokens, lexicon, last, until):
            continue
        if _right_open(prompt, tokens, lexicon, last, plural or joined):
            out.append(mention)
    return out


def _is_figure(lexicon: _Lexicon, tokens: _Tokens, first: int) -> bool:
    """Whether "statue of", "figures of" stands before the phrase of a noun."""
    for i in range(first - 1, max(first - 6, -1), -1):
        if tokens.word(i) == "of":
            return tokens.word(i - 1).removesuffix("s") in lexicon.standins
        if not tokens.is_word(i) or tokens.word(i) in lexicon.after:
            return False
    return False


def _features_said(prompt: str, tokens: _Tokens, lexicon: _Lexicon, last: int, until: int) -> bool:
    """Whether what follows, up to the next person or sentence, tells hair, beard or dress of one group."""
    end = tokens.spans[until][0] if until < len(tokens.spans) else len(prompt)
    following = re.split(r"[.;!?]", prompt[tokens.spans[last][1] : end])[0]
    return bool(lexicon.features.search(following))


def _noun(lexicon: _Lexicon, tokens: _Tokens, i: int) -> tuple[int, str, bool] | None:
    """The longest lexicon noun that starts at token i: (last token, singular, plural)."""
    if (
        i
        and tokens.raw[i].istitle()
        and tokens.raw[i - 1].istitle()
        and tokens.low[i - 1] not in lexicon.determiners
    ):
        return None  # "Tom Baker", "Harry Potter": a name, not a trade
    for length in range(lexicon.longest, 0, -1):
        if i + length > len(tokens.low):
            continue
        words = " ".join(tokens.low[i : i + length])
        if words in lexicon.kinds:
            return i + length - 1, words, False
        if words in lexicon.plurals:
            return i + length - 1, lexicon.plurals[words], True
    made = _PROFESSION.fullmatch(tokens.word(i))
    if made and tokens.word(i) not in _NO_PROFESSION and not tokens.possessive[i]:
        return i, made.group(1), bool(made.group(2))
    return None


# Nouns that are on no list but are made like a profession: "unicyclist", "hydrologist", "goldsmiths".
_PROFESSION = re.compile(r"([a-z]{3,}(?:cyclist|ologist|ician|grapher|smith|keeper|[bcdfglmnprtv]ist))(s?)")
_NO_PROFESSION = frozenset(
    {"minimalist", "surrealist", "realist", "modernist", "cubist", "impressionist", "expressionist"}
    | {"futurist", "checklist", "playlist", "wishlist", "shortlist", "blacklist", "whitelist", "setlist"}
    | {"bookkeeper", "timekeeper", "scorekeeper", "twist", "assist", "resist", "persist", "consist"}
    | {"insist", "exist", "coexist", "enlist", "locksmith's", "racist", "sexist", "fascist", "communist"}
    | {"brutalist", "naturalist", "maximalist", "populist", "nationalist", "racists", "sexists", "fascists"}
    | {"mechanist", "optimist", "pessimist", "feminist", "feminists", "pointillist", "constructivist"}
    | {"pacifist", "socialist", "capitalist", "terrorist", "extremist", "wrist", "untwist", "delist"}
)


@dataclass(frozen=True)
class _Left:
    """What stands before a noun: the token of the determiner (or the one before the phrase), the
    token where describing words go, and an age that is said."""

    at: int
    insert: int
    determiner: str
    age: str
    said: frozenset[str]


def _left(lexicon: _Lexicon, tokens: _Tokens, first: int) -> _Left | None:
    """Walk back over describing words. None when they say who the person is."""
    i, insert, age = first - 1, first, ""
    said: set[str] = set()
    blocked = lexicon.specified | lexicon.not_human
    while tokens.is_word(i) and first - i <= 5:
        word = tokens.word(i)
        if word in blocked or word in lexicon.closed or any(part in blocked for part in word.split("-")):
            return None
        if word.endswith(("-haired", "-skinned")) or (word == "many" and tokens.word(i - 1) == "too"):
            return None  # "too many cooks" is a saying
        if word in lexicon.determiners or word in lexicon.kinds or tokens.possessive[i]:
            break
        if word in lexicon.said:
            said.add(lexicon.said[word])
        if word in lexicon.ages or _YEARS.match(word):
            age = word
        elif not _adjective(lexicon, word):
            if i < first - 1 or not _modifier(tokens, i, lexicon):
                break
            insert = i  # "a heart surgeon": describe before the modifier
        i -= 1
    word = tokens.raw[i].lower() if 0 <= i < len(tokens.raw) else ""
    determiner = word if word in lexicon.determiners or word in _NUMBERS else ""
    if not determiner and tokens.is_word(i) and tokens.possessive[i]:
        return None  # "the nurse's patient": whose is said, leave it
    return _Left(i, insert, determiner, age, frozenset(said))


_YEARS = re.compile(r"(\d+)[- ]year[- ]old")


def _judge(lexicon: _Lexicon, tokens: _Tokens, noun: _Candidate, seen: set[str]) -> Mention | None:
    """The mention, unless its surroundings say who it is or that it is no person at all."""
    left = _left(lexicon, tokens, noun.first)
    if left is None or (left.determiner in {"the", "this", "that"} and noun.noun in seen):
        return None
    if lexicon.kinds.get(noun.noun) == "baby" and lexicon.animals & set(tokens.low):
        return None  # "a whale with babies"
    before = left.at - 1 if left.determiner else left.at
    if tokens.word(before) in {"like", "as"}:
        return None
    if (noun.noun, tokens.word(noun.last + 1)) in _THINGS:
        return None
    if tokens.word(before) in _COPULA and tokens.word(before - 1) not in {"there", "here", "it"}:
        return None  # "he is a teacher" says something about someone else
    opens = before < 0 or not tokens.is_word(before) or tokens.word(before) in lexicon.after
    verb = noun.noun in lexicon.verbs
    if verb and left.insert < noun.first:
        return None  # "a vinyl player", "a plastic model": more likely a thing
    if tokens.word(before) in _ADDRESSED:
        return None
    bare = not left.determiner
    if bare and not opens and (verb or (not noun.plural and lexicon.kinds.get(noun.noun) != "generic")):
        return None
    if bare and verb and not noun.plural and (before >= 0 or tokens.word(noun.last + 1) in _NOT_SUBJECT):
        return None
    rest = range(noun.last + 1, noun.until)
    if not noun.plural and any(tokens.word(j) in lexicon.pronouns for j in rest):
        return None
    if any(tokens.word(j) in lexicon.specified for j in rest[:2]):
        return None
    phrase = left.at if left.determiner else left.insert
    return Mention(
        start=tokens.spans[noun.first][0],
        end=tokens.spans[noun.last][0] + len(tokens.low[noun.last]),
        insert=tokens.spans[left.insert][0],
        phrase=tokens.spans[phrase][0],
        noun=noun.noun,
        kind=lexicon.kinds.get(noun.noun, "adult"),
        plural=noun.plural,
        number=_NUMBERS.get(left.determiner, 0),
        age=left.age,
        said=left.said,
    )


# "a guide to baking", "a model of the harbour"
_THINGS = frozenset(
    {("guide", "to"), ("model", "of"), ("host", "of"), ("player", "for"), ("reader", "for")}
    | {("fan", verb) for verb in ("spins", "turns", "whirs", "hums", "blows", "rotates")}
)


# Whom a clip tells or teaches something is its audience, not in the picture.
_ADDRESSED = frozenset(
    {"tell", "tells", "teach", "teaches", "persuade", "persuades", "convince", "convinces", "warn", "warns"}
)
_NOT_SUBJECT = frozenset({"to", "of", "for", "from", "and", "or"})  # "guide to", "model of"
_COPULA = frozenset({"is", "are", "was", "were", "be", "being", "become", "becomes", "became"})


_NOT_ADJECTIVE = frozenset(
    {"city", "army", "navy", "factory", "library", "delivery", "security", "history", "family"}
    | {"evening", "morning", "wedding", "building", "king", "training", "restaurant", "plant"}
)


def _adjective(lexicon: _Lexicon, word: str) -> bool:
    """On the list, or formed like one. Words in -al and -ic are left out: they belong to the noun."""
    if word in lexicon.adjectives:
        return True
    return word not in _NOT_ADJECTIVE and bool(
        re.search(r"(?:ing|ed|ful|ous|ive|able|ible|less|ish|ant|[^aeiourht]y)$", word)
    )


def _modifier(tokens: _Tokens, i: int, lexicon: _Lexicon) -> bool:
    """Whether an unknown word before the noun belongs to it: something determines both."""
    word, before = tokens.word(i), tokens.word(i - 1)
    if before == "that":
        return False  # "a clip that tells people"
    if i == 0:
        return word not in lexicon.after  # "Chemistry teacher explains"
    return (before in lexicon.determiners or _adjective(lexicon, before)) and word not in lexicon.after


def _right_open(prompt: str, tokens: _Tokens, lexicon: _Lexicon, last: int, plural: bool) -> bool:
    """Whether what follows leaves the noun the head of its phrase and the person unnamed."""
    following = tokens.word(last + 1)
    raw = tokens.raw[last + 1] if last + 1 < len(tokens.raw) else ""
    if tokens.possessive[last]:
        return following in lexicon.body
    if not raw or not raw[0].isalpha():
        return not re.match(r",?\s*(?:named|called)\b", prompt[tokens.spans[last][1] :])
    if following in {"named", "called"} or (raw[0].isupper() and not raw.isupper() and raw != "I"):
        return False
    if not plural and following.endswith("s") and tokens.word(last + 2) in _OBJECTS:
        return True  # "the mechanic shows the brake", "the pharmacist hands over a box"
    if following in lexicon.heads or following in lexicon.not_human or following in lexicon.body:
        return False
    if following == "looking" and tokens.word(last + 2) not in lexicon.after:
        return False  # "an official looking letter"
    if following in lexicon.after or following in _OBJECTS or _FOLLOW.search(following):
        return True  # _OBJECTS: "shows the customer the brake"
    if following in lexicon.kinds or following in lexicon.plurals:
        # "the cook guides ..." is rare, "student nurse" is common
        return False
    # A singular subject takes a verb in -s; a plural one any verb.
    return plural or following.endswith("s")


_OBJECTS = frozenset(
    {"a", "an", "the", "this", "that", "some", "each", "every", "all", "my", "our", "over", "it"}
)
