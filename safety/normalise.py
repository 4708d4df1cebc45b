"""Undo the spelling tricks that hide a word from a filter but not from a reader.

Promises: pure, deterministic, bounded work per character, never raises on any str. Undone are
compatibility and mathematical alphabets, invisible characters, look-alike letters, stacked marks,
base64 and ROT13, s p a c e d and d.o.t.t.e.d letters, joined words, leet, masked letters (k*ll),
stretched words, emoji in place of words or between letters, and single typing errors. The result is
for scoring only: it is never shown, stored or sent to the engine. Leaves out pictures of text,
words split over several texts, and paraphrase. Names of measures such as "1080p" or "2nd" are kept
(safety findings, section 3).
"""

from __future__ import annotations

import base64
import binascii
import codecs
import itertools
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from byline.safety import pictographs, words
from byline.safety.confusables import CONFUSABLE, is_invisible


@dataclass(frozen=True)
class Normalised:
    """`steps` names what changed the text, in order; the names are safe to log, the text is not."""

    text: str
    steps: tuple[str, ...]


def normalise(text: str) -> Normalised:
    """The text as a reader would understand it, with the names of the steps that changed it."""
    steps: list[str] = []
    for name, step in _STEPS:
        changed = step(text)
        if changed != text:
            steps.append(name)
            text = changed
    return Normalised(text, tuple(steps))


def _compatibility(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _invisible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if not is_invisible(c))


def _marks(text: str) -> str:
    """Drop marks over Latin letters only: in other scripts they carry meaning."""
    if text.isascii():
        return text
    out: list[str] = []
    latin = False
    for c in unicodedata.normalize("NFD", text):
        if unicodedata.combining(c):
            if latin:
                continue
        else:
            latin = c.isascii()
        out.append(c)
    return unicodedata.normalize("NFC", "".join(out))


def _confusables(text: str) -> str:
    """Map look-alikes in words that mix scripts, or when the text around is Latin or becomes English.

    A Russian or Greek sentence must stay what it is, so a word of look-alikes alone is mapped only
    in mostly Latin text or when most of the mapped words are English.
    """
    if text.isascii():
        return text
    latin = sum(c.isascii() and c.isalpha() for c in text)
    other = sum(not c.isascii() and c.isalpha() for c in text)
    pieces = re.split(r"(\s+)", text)
    mapped = [p.translate(CONFUSABLE) for p in pieces]
    changed = [m for p, m in zip(pieces, mapped, strict=True) if p != m]
    english = sum(m.isascii() and words.is_word(m.strip(".,;:!?\"'")) for m in changed)
    force = latin >= other or (len(changed) > 1 and english > 0.6 * len(changed))
    return "".join(
        m if force or any(c.isascii() and c.isalpha() for c in p) else p
        for p, m in zip(pieces, mapped, strict=True)
    )


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")


def _encoded(text: str) -> str:
    def decode(match: re.Match[str]) -> str:
        chunk = match.group(0)
        body = chunk.rstrip("=").replace("-", "+").replace("_", "/")
        if body.isalpha() and (body.islower() or body.isupper()):
            return chunk
        try:
            plain = base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return chunk
        readable = sum(c.isalpha() or c == " " for c in plain)
        return f" {plain} " if plain.isprintable() and readable > 0.8 * len(plain) else chunk

    return _BASE64.sub(decode, text)


def _known_share(text: str) -> float:
    """The share of letters that stand in English words."""
    tokens = re.findall(r"[a-z]+", text.lower())
    known = sum(
        len(t) for t in tokens if words.is_word(t) or (len(t) > 5 and _price(t, strict=True) < math.inf)
    )
    return known / max(1, sum(map(len, tokens)))


def _rot13(text: str) -> str:
    """Turned only where clearly more words come out than went in."""
    if sum(c.isalpha() for c in text) < 5 or (before := _known_share(text)) >= 0.5:
        return text
    turned = codecs.encode(text, "rot13")
    return turned if _known_share(turned) > max(0.6, before + 0.4) else text


_SEPARATOR = r"[ .\-_*·•~/|,+]"
_SPELLED = re.compile(rf"(?<![\w'])(?:[\w@$!]{_SEPARATOR}{{1,3}}){{3,}}[\w@$!](?!\w)")
_DOTTED = re.compile(r"(?<![\w.])[A-Za-z0-9@$](?:[.\-_*·•~|][A-Za-z0-9@$!])+(?!\w)")


def _spelled(text: str) -> str:
    """Join letters written apart; find the words in the joined string where no gap shows them."""

    def join(match: re.Match[str]) -> str:
        run = match.group(0)
        groups = re.split(r"\s{2,}|\s*[,/|]\s+", run)
        by_space = run.split()
        if len(by_space) > 1 and any(len(re.sub(_SEPARATOR, "", g)) > 1 for g in by_space):
            groups = by_space  # "h.o.w t.o": marks join letters, spaces part words
        joined = [re.sub(_SEPARATOR, "", g) for g in groups]
        if any(c.isdigit() for j in joined for c in j):
            if all(j.isdigit() for j in joined):
                return run  # "1 2 3 4" is counting
            joined = [_leet(j) for j in joined]
        # Gaps that part words leave whole words; without gaps the words must be found.
        gaps = len(joined) > 1
        return " ".join((gaps and words.is_word(j) and j) or segment(j, strict=gaps) or j for j in joined)

    text = _SPELLED.sub(join, text)
    return _DOTTED.sub(_undot, text)


def _undot(match: re.Match[str]) -> str:
    """Join "b.o.m.b" but not the number "0.5"."""
    run = match.group(0)
    return re.sub(r"[.\-_*·•~|]", "", run) if re.search("[A-Za-z]", run) else run


def segment(joined: str, *, strict: bool = True) -> str | None:
    """Split a string of letters into known words (Viterbi over ranks). None when it does not parse.

    Not strict: stretches that are no known word may stay as they are, at a price.
    """
    letters = joined.lower()
    if not letters.isascii() or not letters.isalpha() or len(letters) > 1000:
        return None
    best: list[tuple[float, int]] = [(0.0, 0)] + [(math.inf, 0)] * len(letters)
    for end in range(1, len(letters) + 1):
        for start in range(max(0, end - 16), end):
            if best[start][0] == math.inf:
                continue
            cost = _price(letters[start:end], strict)
            if best[start][0] + cost < best[end][0]:
                best[end] = (best[start][0] + cost, start)
    if best[-1][0] == math.inf:
        return None
    out: list[str] = []
    end = len(letters)
    while end:
        start = best[end][1]
        out.append(letters[start:end])
        end = start
    return " ".join(reversed(out))


def _price(piece: str, strict: bool) -> float:
    """Minus the log of a piece's frequency, roughly; an inflection costs more than a listed word."""
    rank = words.ranks()
    place = rank.get(piece)
    if place is not None:
        return math.log(place + 50) + (3.0 if len(piece) <= 2 else 0.0)
    if len(piece) > 5:
        stems = (piece.removesuffix(e) for e in ("s", "es", "ed", "d", "ing", "ly", "er", "ers", "ness"))
        known = [rank[stem] for stem in stems if stem in rank and stem != piece]
        if known:
            return math.log(min(known) + 5000) + 2.0
    return math.inf if strict else 14.0 + 4.0 * len(piece)


_TOKEN = re.compile(r"\S+")


def _each_token(rule: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: _TOKEN.sub(lambda m: rule(m.group(0)), text)


_INNER = re.compile(r"(?<=[A-Za-z,;:'’])[._*~|/\\\-·•]+(?=[A-Za-z])")


def _cut_token(token: str) -> str:
    """Words cut inside ("bo.mb"), chained ("how.to.kill") or run together ("howtokillsomeone")."""
    core = token.strip(".,;:!?\"'()[]")
    if not core or "://" in core:
        return token
    parts = _INNER.split(core)
    if len(parts) > 1:
        bare = [re.sub(r"(?:['’]s)?[,;:]*$", "", p) for p in parts]
        known = [words.is_word(p) for p in bare]
        if not all(known) and words.is_word("".join(parts)):
            return token.replace(core, "".join(parts))
        if len(parts) > 2 and sum(known) > len(parts) / 2:
            return token.replace(core, " ".join(parts))
    if len(core) >= 10 and "," in core:
        return ", ".join(_cut_token(piece) for piece in token.split(","))
    if len(core) >= 10 and core.isascii() and core.isalpha() and not words.is_word(core):
        split = segment(core, strict=len(core) < 20)
        if split is not None and len(core) / (split.count(" ") + 1) >= 2.5 and split.count(" ") >= 2:
            return token.replace(core, split)
    return token


_LEET = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s", "!": "il", "|": "li", "+": "t", "€": "e", "£": "l", "(": "c",
}  # fmt: skip
_MEASURE = re.compile(
    r"\d*(?:1st|2nd|3rd)|\d+(?:th|s|k|d|g|p|i|m|c|f|v|w|a|b|x|h|l|mm|cm|km|kg|ms|fps|am|pm|hz|khz|mhz|ghz|ft|in|"
    r"mph|kph|gb|mb|tb|kb|yo|px|min|sec|hr|hrs|mg|ml|kw|kwh|mw|gw|bn|mn)s?",
    re.IGNORECASE,
)

_MODEL = re.compile(r"[A-Za-z]{1,3}-?\d{2,}")  # "f16", "mh370"


def _leet(token: str, *, sure: bool = False) -> str:
    """A token read with digits and signs as letters. `sure`: the text around is written like that."""
    core = token.rstrip("!?.,;:)\"'").lstrip("\"'([")
    tail = token[token.rfind(core) + len(core) :] if core else ""
    letters = sum(c.isalpha() for c in core)
    marks = sum(c in _LEET for c in core)
    if not marks or marks + letters != len(core) or len(core) > 24:
        return token
    if not letters and not (sure and len(core) <= 2):
        return token  # a number
    if _MEASURE.fullmatch(core) and not re.match(r"0[A-Za-z]", core):
        return token
    choices = [_LEET[c] if c in _LEET else c.lower() for c in core]
    rank = words.ranks()
    candidates = ["".join(p) for p in itertools.islice(itertools.product(*choices), 32)]
    known = [c for c in candidates if c in rank]
    if not letters:
        return (
            next((c for c in candidates if c in {"a", "i", "s", "as", "is", "it", "to", "at", "so"}), core)
            + tail
        )
    model = _MODEL.fullmatch(core) is not None
    if known and not (model and len(core) < 4):
        return min(known, key=rank.__getitem__) + tail
    stems = [c for c in candidates if _stem_known(c)]
    if stems and not model:
        return stems[0] + tail
    # Not a word we know: still read it as letters when a mark stands between letters, which
    # model numbers ("mh370") and handles ("@anna") do not do.
    between = re.search(r"[A-Za-z][0-9@$!|+€£]+[A-Za-z]", core)
    return candidates[0] + tail if sure or (between and len(core) >= 4 and letters >= 2) else token


def _leet_text(text: str) -> str:
    """Every token by itself; two that were leet make the rest of the text suspect as well."""
    tokens = re.split(r"(\s+|['’\-])", text)
    plain = [_leet(t) for t in tokens]
    if sum(p != t for p, t in zip(plain, tokens, strict=True)) > 1:
        plain = [_leet(p, sure=True) for p in plain]
    return "".join(plain)


def _stem_known(word: str) -> bool:
    return any(
        word.endswith(s) and len(word) - len(s) >= 3 and words.is_word(word[: -len(s)])
        for s in ("s", "es", "ed", "ing", "er", "ers", "ly")
    )


def _masked(token: str) -> str:
    """Fill one or two stars in a word ("k*ll") with the letters that give the commonest word."""
    core = token.strip(".,;:!?\"'()")
    stars = core.count("*") + core.count("#")
    bare = core.replace("*", "").replace("#", "")
    if not 1 <= stars <= 2 or len(core) < 3 or not bare.isalpha() or not bare.isascii() or core[0] in "*#":
        return token
    rank = words.ranks()
    pattern = core.lower().replace("#", "*")
    filled = []
    for letters in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=stars):
        supply = iter(letters)
        word = "".join(next(supply) if c == "*" else c for c in pattern)
        if word in rank:
            filled.append(word)
    return token.replace(core, min(filled, key=rank.__getitem__)) if filled else token


_STRETCH = re.compile(r"([A-Za-z])\1{2,}")


def _stretched(token: str) -> str:
    if not _STRETCH.search(token):
        return token
    single, double = _STRETCH.sub(r"\1", token), _STRETCH.sub(r"\1\1", token)
    return single if words.is_word(single.strip(".,;:!?")) else double


def _emoji(text: str) -> str:
    """Emoji as the words they stand for; those between letters join or part what stands around."""
    if text.isascii():
        return text

    def say(match: re.Match[str]) -> str:
        found = [pictographs.WORDS[c] for c in match.group(0) if c in pictographs.WORDS]
        return f" {' '.join(found)} " if found else " "

    def inside(token: str) -> str:
        parts = pictographs.SIGNS.split(token.strip(_EDGE))
        whole = "".join(parts)
        letters = sum(len(p) == 1 for p in parts) > len(parts) / 2
        if letters or (words.is_word(whole) and not all(map(words.is_word, parts))):
            return pictographs.SIGNS.sub("", token)
        return token

    cut = _TOKEN.sub(
        lambda m: inside(m.group(0)) if pictographs.BETWEEN.search(m.group(0)) else m.group(0), text
    )
    return pictographs.SIGNS.sub(say, cut)


_EDGE = ".,;:!?\"'()[]"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _typing_errors(text: str) -> str:
    """Neighbours swapped, letters lost, doubled or hit wrong, where the token is no word as it stands."""
    tokens = re.split(r"(\s+)", text)
    doubted = [_swapped(t, short=True) for t in tokens]
    if len(tokens) <= 11 or sum(d != t for d, t in zip(doubted, tokens, strict=True)) > 1:
        return "".join(doubted)
    return "".join(_swapped(t, short=False) for t in tokens)


def _swapped(token: str, *, short: bool) -> str:
    """The likeliest word one slip away. `short`: the text around gives reason to doubt short tokens and
    capitalised ones as well."""
    core = token.strip(_EDGE)
    lowest = 3 if short else 5
    if not (lowest <= len(core) <= 20) or not core.isascii() or not core.isalpha() or core.isupper():
        return token
    if core[0].isupper() and not short:
        return token
    word = core.lower()
    rank = words.ranks()
    if word in rank or _stem_known(word):
        return token
    if word == "hwo":  # "who" is the commoner word, but not the commoner slip
        return token.replace(core, "how")
    turned = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    common = len(rank) if len(word) > 4 else 6000
    known = [w for w in turned if rank.get(w, common) < common]
    if known and not core[0].isupper():
        return token.replace(core, min(known, key=rank.__getitem__))
    stems = sorted(w for w in turned if len(w) > 5 and _stem_known(w))
    if (known or stems) and short:
        return token.replace(core, min(known, key=rank.__getitem__) if known else stems[0])
    if len(word) >= 4 and not core[0].isupper():
        near = sorted(_one_off(word) & words.telling())
        if near:
            return token.replace(core, near[0])
    return token


def _one_off(word: str) -> set[str]:
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    lost = {a + b[1:] for a, b in halves if b}
    added = {a + c + b for a, b in halves for c in _LETTERS}
    wrong = {a + c + b[1:] for a, b in halves if b for c in _LETTERS}
    return lost | added | wrong


_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("compatibility", _compatibility),
    ("invisible", _invisible),
    ("marks", _marks),
    ("confusables", _confusables),
    ("emoji", _emoji),
    ("encoded", _encoded),
    ("rot13", _rot13),
    ("spelled", _spelled),
    ("cut", _each_token(_cut_token)),
    ("masked", _each_token(_masked)),
    ("leet", _leet_text),
    ("stretched", _each_token(_stretched)),
    ("typing", _typing_errors),
)
