"""Does a text ask to change gender, skin, origin or age of somebody who is already depicted?

Promises: forms such as "make her look Asian", "change the gender of", "lighten his skin", and, where
a real person is named or shown by a reference, "as a young Black man". Whoever calls decides: for a
real person it is refused, for an invented one it needs a logged reason. A text without an instruction
(a brief that simply says who is seen) is no change. English only; says nothing about other languages.
"""

from __future__ import annotations

import re
from typing import Literal

from byline.safety import people

_GROUP = (
    r"(?:wom[ae]n|m[ae]n|girls?|boys?|female|male|black|white|asian|african|european|caucasian|indian|chinese|"
    r"japanese|korean|arab|latin[oa]|hispanic|middle[- ]eastern|indigenous|"
    r"(?:light|dark|brown|fair|pale)(?:er)?[- ]skinn?(?:ed)?|trans(?:gender)?|non-?binary)"
)
_AGE = r"(?:older|younger|elderly|old|young|aged|a child|a teenager|\d+ years old)"
_WHO = r"(?:him|her|them|(?:the|this|that|my|our) [\w -]{2,30}?|[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)"
_SAID = (
    r"(?:(?:look(?:s|ing)?|appear|be|become|into|to|seem)\b(?: like| as)?\s+)?(?:an?\s+)?"
    r"(?:[\w-]+\s+){0,2}?"
)
_ORDER = r"(?:^|[.;:,!?]\s*|\b(?:please|then|and|but|to)\s+)"
_PROPERTY = r"(?:gender|sex|race|ethnicity|skin(?: colou?r| tone)?|age|origin)"
_INSTRUCTION = re.compile(
    rf"{_ORDER}(?:make|turn|transform|convert|morph|change|render|re-?imagine|show|recast)\s+{_WHO}\s+"
    rf"{_SAID}(?:{_GROUP}|{_AGE})\b"
    rf"|\b(?:change|swap|alter|switch|modify|replace|randomi[sz]e)\s+(?:(?:the|his|her|their|[\w'’]+['’]s)\s+)?{_PROPERTY}\b"
    rf"|\b(?:lighten|darken|whiten|bleach|recolou?r)\s+(?:the|his|her|their|[\w'’]+['’]s)\s+(?:skin|face|complexion)\b"
    r"|\b(?:gender|race|age|sex|ethnicity)[- ]?(?:swap|bend|flip)(?:ped|ping)?\b",
    re.IGNORECASE,
)
_OF_SOMEBODY = re.compile(
    rf"\b(?:as|like|into)\s+an?\s+(?:[\w-]+\s+){{0,3}}?(?:{_GROUP})\b|\b(?:but|only)\s+{_AGE}\b",
    re.IGNORECASE,
)
Change = Literal["", "real", "invented"]


def change(text: str, *, shown: bool = False) -> Change:
    """Whose demographics the text asks to change: a "real" person's (named in it, or `shown` by a
    reference of the request), an "invented" one's, or "" nobody's."""
    real = shown or bool(people.find(text))
    if _INSTRUCTION.search(text):
        return "real" if real else "invented"
    return "real" if real and _OF_SOMEBODY.search(text) else ""
