"""Find the real people that a prompt names, by the grammar of capitalised names and a list of ours.

Promises a hold, not a register: a name is found when it is on the list of public figures, is an
office one person holds ("the mayor of Oslo"), follows a title, or is a known first name with a
capitalised second one. Historic and invented people are left out. What it misses: rare first
names without a surname cue, names in lower case that are not on the list, and every script but
Latin. Returned names go to evidence as counts and kinds only, never as text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml

Kind = Literal["public", "office", "titled", "named"]


@dataclass(frozen=True)
class PersonName:
    """A span of the text, `start` and `end` in characters."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class _Lists:
    public: re.Pattern[str]
    offices: re.Pattern[str]
    skip: re.Pattern[str]
    surnames: re.Pattern[str]
    no_name: frozenset[str]
    places: frozenset[str]
    first_names: frozenset[str]
    titles: frozenset[str]
    not_people: frozenset[str]


def _alternatives(text: str) -> str:
    names = sorted((" ".join(n.split()) for n in text.split("|")), key=len, reverse=True)
    return "|".join(re.escape(n).replace(r"\ ", r"\s+") for n in names if n)


def _surnames(raw: Mapping[str, str]) -> re.Pattern[str]:
    """The last words of historic names, but for those that are also other words, names or places."""
    full = [name.split() for name in raw["historic"].split("|")]
    last = {parts[-1] for parts in full if len(parts) > 1} - set(raw["ambiguous_surnames"].split())
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(last)))})(?!\w)")


@functools.cache
def _lists() -> _Lists:
    raw = yaml.safe_load(resources.files("byline.safety").joinpath("data/people.yaml").read_text("utf-8"))
    offices = "|".join(part.strip() for part in raw["offices"].split("|"))
    # Single surnames that are also English words count only when capitalised.
    return _Lists(
        public=re.compile(rf"(?<!\w)(?:{_alternatives(raw['public_figures'])})(?!\w)", re.IGNORECASE),
        offices=re.compile(rf"(?<!\w)(?:{offices})(?!\w)", re.IGNORECASE),
        skip=re.compile(
            rf"(?<!\w)(?:{_alternatives(raw['historic'])}|{_alternatives(raw['fictional'])})(?!\w)",
            re.IGNORECASE,
        ),
        surnames=_surnames(raw),
        no_name=frozenset(raw["no_name"].split()),
        places=frozenset(raw["before_places"].split()),
        first_names=frozenset(raw["first_names"].split()),
        titles=frozenset(raw["titles"].split()),
        not_people=frozenset(raw["not_people"].split()),
    )


_PARTICLE = r"(?:van|von|de|da|di|del|der|den|la|le|bin|al|el|ter|dos|ibn|af)"
# Names that are trump cards, musk scents and pro bono work when written small.
_ALSO_WORDS = frozenset({"trump", "musk", "bono", "adele"})
_RUN = re.compile(
    rf"(?:(?:[A-ZÀ-Þ][\w'’\-]*|[A-Z][a-z]{{0,3}}\.)(?:\s+{_PARTICLE})*\s+)+(?:[A-ZÀ-Þ][\w'’\-]*[a-zß-ÿ])",
)


def find(text: str) -> tuple[PersonName, ...]:
    """Names of real people in the text, by position. Spans do not overlap."""
    lists = _lists()
    skipped = [m.span() for m in lists.skip.finditer(text)]
    found: list[PersonName] = []

    def free(start: int, end: int) -> bool:
        spans = skipped + [(p.start, p.end) for p in found]
        return all(end <= a or start >= b for a, b in spans)

    for match in lists.public.finditer(text):
        if match.group(0) in _ALSO_WORDS:
            continue
        if free(*match.span()):
            found.append(PersonName(*match.span(), "public"))
    for match in lists.offices.finditer(text):
        if free(*match.span()):
            found.append(PersonName(*match.span(), "office"))
    if not text.isupper() and not _title_case(text):
        for match in _RUN.finditer(text):
            kind = _judge(match.group(0), lists)
            if kind is not None and free(*match.span()):
                found.append(PersonName(*match.span(), kind))
    return tuple(sorted(found, key=lambda p: p.start))


def tells_a_known_story(text: str) -> bool:
    """Whether the text names somebody of history or fiction from our lists, in full or by a surname
    that is no other word ("Picasso")."""
    return bool(_lists().skip.search(text) or _lists().surnames.search(text))


def may_name(text: str, nouns: Collection[str]) -> bool:
    """Whether capitalised words that are on no list read like a name: "Nelson Mandela meets students".

    Weaker than `find`: a reason to leave somebody alone, not to hold a request. Not a name is what says a
    place ("in Buenos Aires"), what a noun of `nouns` follows ("a Red Cross volunteer"), and titles.
    """
    if text.isupper() or _title_case(text):
        return False
    lists = _lists()
    for match in _RUN.finditer(text):
        parts = [part.strip("’'").lower() for part in match[0].split()]
        if parts[0] in lists.no_name:  # "The Atlantic", "When Lagos": the sentence begins, no name does
            parts = parts[1:]
        before = re.findall(r"[\w'’-]+", text[: match.start()])[-1:]
        following = re.match(r"\s+([a-z][\w-]*)", text[match.end() :])
        place = bool(before) and before[0].lower() in lists.places
        modifier = following is not None and following[1] in nouns
        if len(parts) > 1 and not (place or modifier or lists.not_people & set(parts)):
            return True
    return False


def _judge(run: str, lists: _Lists) -> Kind | None:
    """Whether a run of capitalised words names a person, and how we know."""
    parts = [p.strip("’'").lower() for p in run.split()]
    parts = [re.sub(r"['’]s$", "", p) for p in parts]
    for position, part in enumerate(parts[:-1]):
        rest = parts[position + 1 :]
        if any(p in lists.not_people for p in rest):
            continue
        if part.rstrip(".") in lists.titles:
            return "titled"
        if part in lists.first_names and (position == 0 or parts[position - 1] not in lists.not_people):
            return "named"
    return None


def _title_case(text: str) -> bool:
    """A headline with every word capitalised gives no grammar to read names from."""
    tokens = [t for t in re.findall(r"[A-Za-z][\w'’\-]*", text) if len(t) > 3]
    return len(tokens) >= 6 and sum(t[0].isupper() for t in tokens) > 0.8 * len(tokens)
