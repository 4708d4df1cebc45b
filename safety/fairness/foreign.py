"""Plain phrases about one person in Spanish, French, German and Chinese, from templates.

Promises: a phrase is rewritten only when its article, its noun and the word after it are listed
(data/person_templates.yaml) and the text says no gender, origin or age anywhere; gender of the noun,
article and adjective endings agree. Whatever else names a person is left and reported as "template",
and so is every attribute beyond gender, skin tone and age. Leaves out plurals and groups.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import yaml

from byline.safety import people
from byline.safety.fairness.quota import Quota
from byline.safety.fairness.wording import Change

_SPOKEN = {"gender", "skin", "age"}
_YEAR = re.compile(r"(?<!\d)(?:1\d{3}|20\d{2})(?!\d)")
_Entry = Mapping[str, Any]


@functools.cache
def _templates() -> Mapping[str, _Entry]:
    file = resources.files("byline.safety").joinpath("data/person_templates.yaml")
    raw: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return {code: entry for code, entry in raw.items() if code != "version"}


def rewrite(prompt: str, quota: Quota, left: str) -> tuple[list[Change], str]:
    """(changes, why the prompt is left). `left` is what the English reading said."""
    code = next((c for c in _templates() if _pattern(c).search(prompt)), "")
    if not code:
        return [], left
    if people.find(prompt):
        return [], "named"
    if _YEAR.search(prompt):
        return [], "historic"
    if _said(code).search(prompt):
        return [], ""  # it says who the people are; the rest is not ours to guess
    if not set(quota.target.attributes) <= _SPOKEN:
        return [], "template"
    entry, changes = _templates()[code], []
    for match in _pattern(code).finditer(prompt):
        word = _WORDS[code](entry, match["article"] or "", match["noun"], match.start() == 0)
        if word is None or not _ends(entry, code, prompt[match.end() :]):
            continue
        child = match["noun"].lower() in str(entry["children"]).lower().split()
        cell = quota.draw("child" if child else "adult", without=("nonbinary",))
        text = word(quota.target.read(cell))
        if match[0][0].isupper():
            text = text[0].upper() + text[1:]
        changes.append(Change(match.start(), match.end(), match[0], text, (cell,)))
    return changes, "" if changes else "template"


@functools.cache
def _pattern(code: str) -> re.Pattern[str]:
    """An article (or measure word) and a listed noun, or the word for "someone"."""
    entry = _templates()[code]
    nouns = sorted([*entry["nouns"], *entry.get("oblique", {}).values()], key=len, reverse=True)
    listed = "|".join(map(re.escape, nouns))
    if code == "zh":
        return re.compile(rf"一(?P<article>[位个名])(?P<noun>{listed})")
    articles = "|".join(entry["articles"].split())
    someone = re.escape(entry["someone"])
    return re.compile(
        rf"(?<![\w'’-])(?:(?P<article>{articles})\s+(?=\w)|(?={someone}))(?P<noun>{listed}|{someone})(?![\w-])",
        re.IGNORECASE,
    )


@functools.cache
def _said(code: str) -> re.Pattern[str]:
    said = _templates()[code]["said"]
    return re.compile(said if code == "zh" else rf"\b(?:{said})\b", re.IGNORECASE)


def _ends(entry: _Entry, code: str, rest: str) -> bool:
    """Whether the word after the noun leaves it the end of its phrase."""
    follow = entry["follow"].split()
    if code == "zh":
        return not rest or rest.startswith(tuple(follow))
    word = re.match(r"\s*([^\W\d_]+)", rest)
    if word is None or word[1].lower() in follow:
        return True
    return code == "de" and word[1].islower() and word[1].endswith("t")  # adjectives stand before the noun


_Word = Callable[[Mapping[str, str]], str]


def _words_of(values: Mapping[str, str], entry: _Entry) -> tuple[int, str, str]:
    """(0 for a woman, 1 for a man; the age's and the skin tone's key or "")."""
    return int(values["gender"] == "man"), values.get("age", ""), values.get("skin", "")


def _romance(entry: _Entry, article: str, noun: str, starts: bool) -> _Word | None:
    """Spanish and French: "una médica joven de piel clara", "une jeune médecin à la peau claire"."""
    small = noun.lower()
    person = small in (entry["person"], entry["someone"])
    if not person and article.lower() != "un":
        return None  # "una estudiante" says that she is a woman
    pair = entry["nouns"][entry["person"] if person else small]

    def word(values: Mapping[str, str]) -> str:
        man, age, skin = _words_of(values, entry)
        aged = entry["age"].get(age, "")
        aged = aged[man] if isinstance(aged, list) else aged
        before = aged if aged in entry["before"] else ""
        after = "" if before else aged
        parts = (entry["article"][man], before, pair[man], after, entry["skin"].get(skin, ""))
        return " ".join(part for part in parts if part)

    return word


_ARTICLE = {"ein": ("eine", "ein"), "einem": ("einer", "einem"), "einen": ("eine", "einen")}
_ENDING = {"ein": ("e", "er"), "einem": ("en", "en"), "einen": ("e", "en")}


def _german(entry: _Entry, article: str, noun: str, starts: bool) -> _Word | None:
    """ "eine ältere Ärztin mit dunkler Haut", in the case that the article shows."""
    case, oblique = article.lower(), entry["oblique"]
    weak = {form.lower(): noun for noun, form in oblique.items()}  # "Patienten": never the subject
    base = noun.capitalize()
    if base in ("Person", "Kind", "Jemand"):
        if not starts:
            return None  # "eine Person", "ein Kind" and "jemand" may be subject or object
        case = "ein"
    elif case not in _ARTICLE or (case == "ein" and noun.lower() in weak):
        return None
    elif case != "ein" and base in oblique:
        return None  # "einen Patient" is a slip whose case we would have to guess
    base = weak.get(noun.lower(), base)
    pair = entry["nouns"]["Person" if base == "Jemand" else base]

    def word(values: Mapping[str, str]) -> str:
        man, age, skin = _words_of(values, entry)
        head = pair[man]
        if case != "ein" and man:
            head = oblique.get(head, head)
        adjective = {"young": "jung", "older": "älter"}.get(age, "")
        if adjective and base != "Kind":
            adjective += _ENDING[case][man]
        chosen = "ein" if base == "Kind" else _ARTICLE[case][man]
        middle = "mittleren Alters" if age == "middle-aged" else ""
        parts = (chosen, adjective, head, middle, entry["skin"].get(skin, ""))
        return " ".join(part for part in parts if part)

    return word


def _chinese(entry: _Entry, article: str, noun: str, starts: bool) -> _Word | None:
    """ "一位年长的深肤色女医生"."""

    def word(values: Mapping[str, str]) -> str:
        man, age, skin = _words_of(values, entry)
        head = {"人": "性"}.get(noun, noun)
        head = ("女孩", "男孩")[man] if noun in entry["children"].split() else ("女", "男")[man] + head
        return f"一{article}{entry['age'].get(age, '')}{entry['skin'].get(skin, '')}{head}"

    return word


_WORDS = {"es": _romance, "fr": _romance, "de": _german, "zh": _chinese}
