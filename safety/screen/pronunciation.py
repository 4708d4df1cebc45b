"""How the words of an English script may be said, in the phones of the CMU dictionary.

Pure text. Numbers and initials get every usual reading, a word outside the dictionary a rough
letter-to-sound guess: good enough to align a text that is known to be said, not to read one aloud.
What it cannot say (mixed letters and digits, currency, other scripts) is None and counts as not
covered.
"""

import re
import unicodedata
from collections.abc import Callable

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINAL = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_SIGNS = {"%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at"}
_CURRENCIES = {"$": "dollar", "£": "pound", "€": "euro"}
_EDGES = "\"'“”‘’«»()[]{}<>.,;:!?…–—-/*"
_LETTERS = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH",
    "i": "AY", "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY",
    "q": "K Y UW", "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY",
    "w": "D AH B AH L Y UW", "x": "EH K S", "y": "W AY", "z": "Z IY",
}  # fmt: skip
# Longest spelling first; a guess for names and for words the dictionary lacks.
_SOUNDS = {
    "tion": "SH AH N", "sion": "ZH AH N", "ture": "CH ER", "ough": "AO", "augh": "AO", "eigh": "EY",
    "igh": "AY", "tch": "CH", "sch": "SH", "our": "ER", "ous": "AH S", "eau": "OW", "air": "EH R",
    "ear": "IH R", "dge": "JH", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W", "ck": "K",
    "ng": "NG", "qu": "K W", "gh": "G", "kn": "N", "wr": "R", "ee": "IY", "ea": "IY", "oo": "UW",
    "ou": "AW", "ow": "OW", "oi": "OY", "oy": "OY", "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO",
    "ei": "EY", "ey": "IY", "ie": "IY", "oa": "OW", "ue": "UW", "ui": "UW", "eu": "Y UW", "ew": "UW",
    "ar": "AA R", "er": "ER", "ir": "ER", "or": "AO R", "ur": "ER", "ce": "S", "ci": "S IH", "ge": "JH",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T",
    "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip
Lookup = Callable[[str], str | None]


def written_words(script: str) -> list[str]:
    """The words that are said: split at spaces, dashes and hyphens, without their punctuation."""
    parts = re.split(r"[\s–—/-]+", script.replace("’", "'"))
    stripped = (part.strip(_EDGES) for part in parts)
    return [word for word in stripped if word]


def readings(word: str, lookup: Lookup) -> list[str] | None:
    """Every usual way to say `word`, as space-separated phones; None when there is no telling.

    `lookup` gives the dictionary's phones of a lower-case word or None.
    """
    if word in _SIGNS:
        word = _SIGNS[word]
    sign = _SIGNS.get(word[-1]) if len(word) > 1 else None
    if sign and word[-1] == "%":
        number = readings(word[:-1], lookup)
        return [f"{way} {lookup(sign)}" for way in number] if number else None
    unit = _CURRENCIES.get(word[0])
    if unit:
        amount = readings(word[1:], lookup) or []
        units = [way for way in (lookup(unit), lookup(unit + "s")) if way]
        return [order for way in amount for u in units for order in (f"{u} {way}", f"{way} {u}")] or None
    spelled = re.fullmatch(r"(?:[A-Za-z]\.){2,}[A-Za-z]?", word + ".")
    if spelled or (word.isupper() and word.isascii() and word.isalpha() and 1 < len(word) <= 5):
        letters = " ".join(_LETTERS[letter] for letter in word.lower() if letter != ".")
        known = lookup(word.lower())
        return [letters, known] if known else [letters]
    if re.fullmatch(r"[0-9][0-9,]*(?:\.[0-9]+)?(?:st|nd|rd|th)?", word):
        ways = [[lookup(part) for part in way.split()] for way in numbers(word)]
        return [" ".join(part for part in way if part) for way in ways] or None
    plain = _plain(word)
    known = lookup(plain) or lookup(plain.removesuffix("'s"))
    if known:
        return [known if lookup(plain) or not plain.endswith("'s") else f"{known} Z"]
    guess = _guess(plain)
    return [guess] if guess else None


def is_known(word: str, lookup: Lookup) -> bool:
    """Whether its readings come from the dictionary or from rules that hold, and are not a guess."""
    plain = _plain(word)
    if lookup(plain) or lookup(plain.removesuffix("'s")):
        return True
    spelled_out = word.isupper() or not re.fullmatch(r"[a-z']+", plain)
    return spelled_out and bool(readings(word, lookup))


def _plain(word: str) -> str:
    """Lower case without accents: the dictionary has "zurich", not "zürich"."""
    parts = unicodedata.normalize("NFKD", word.lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _guess(word: str) -> str | None:
    if not re.fullmatch(r"[a-z']+", word):
        return None
    word = re.sub(r"(.)\1", r"\1", word.replace("'", ""))
    silent_e = len(word) > 3 and word.endswith("e") and word[-2] not in "aeiou"
    rest = word[:-1] if silent_e else word
    phones = []
    while rest:
        length = next(n for n in (4, 3, 2, 1) if rest[:n] in _SOUNDS and n <= len(rest))
        phones.append(_SOUNDS[rest[:length]])
        rest = rest[length:]
    return " ".join(phones) or None


def numbers(text: str) -> list[str]:
    """The readings of a number of up to twelve digits, in words; none for a longer one."""
    ordinal = text[-2:] in ("st", "nd", "rd", "th")
    whole, _, fraction = (text[:-2] if ordinal else text).replace(",", "").partition(".")
    if len(whole) > 12:
        return []
    ways = [_cardinal(int(whole))]
    value = int(whole)
    if not fraction and "," not in text and 1100 <= value <= 2099 and value % 1000 >= 10:
        high, low = divmod(value, 100)
        tail = "hundred" if low == 0 else f"oh {_cardinal(low)}" if low < 10 else _cardinal(low)
        ways.append(f"{_cardinal(high)} {tail}")
        ways.append(f"{_cardinal(high)} hundred" + (f" {_cardinal(low)}" if low else ""))
    ways += [way.replace("hundred ", "hundred and ") for way in ways if "hundred " in way]
    if value > 1000 and 0 < value % 1000 < 100:
        ways.append(f"{_cardinal(value - value % 1000)} and {_cardinal(value % 1000)}")
    if fraction:
        digits = " ".join(_ONES[int(digit)] for digit in fraction)
        ways = [f"{way} point {digits}" for way in ways]
    return [_as_ordinal(way) for way in ways] if ordinal else ways


def _cardinal(value: int) -> str:
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= size:
            high, low = divmod(value, size)
            return f"{_cardinal(high)} {name}" + (f" {_cardinal(low)}" if low else "")
    raise AssertionError(value)


def _as_ordinal(way: str) -> str:
    *before, last = way.split()
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*before, _ORDINAL.get(last, regular)])
