"""The same text, disguised mechanically, one function per disguise. Knows nothing of the normaliser."""

from __future__ import annotations

import base64
import codecs
import random
from collections.abc import Callable

_CYRILLIC = str.maketrans("aeopcxyiAEOPCXTHKMB", "аеорсхуіАЕОРСХТНКМВ")
_LEET = str.maketrans("aeiost", "431057")
_EMOJI = "😀🔥✨🎉🌈"


def _bold(text: str) -> str:
    return "".join(
        chr(0x1D400 + ord(c) - 65)
        if "A" <= c <= "Z"
        else chr(0x1D41A + ord(c) - 97)
        if "a" <= c <= "z"
        else c
        for c in text
    )


def _swap(text: str) -> str:
    """Two inner neighbours swapped in every word of four letters and more."""
    rng = random.Random(text)
    out = []
    for word in text.split():
        if len(word) > 3 and word.isalpha():
            at = rng.randrange(1, len(word) - 2)
            word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        out.append(word)
    return " ".join(out)


def _one_typo(text: str) -> str:
    """One letter lost in the longest word."""
    longest = max(text.split(), key=len)
    return text.replace(longest, longest[:2] + longest[3:], 1) if len(longest) > 4 else text


def _between(text: str) -> str:
    return " ".join(
        "".join(c + _EMOJI[i % len(_EMOJI)] for i, c in enumerate(word)) if len(word) > 3 else word
        for word in text.split()
    )


DISGUISES: dict[str, Callable[[str], str]] = {
    "homoglyph": lambda t: t.translate(_CYRILLIC),
    "zero_width": "\u200b".join,
    "spaced": lambda t: "   ".join(" ".join(word) for word in t.split()),
    "dotted": lambda t: " ".join(".".join(word) for word in t.split()),
    "leet": lambda t: t.translate(_LEET),
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "math_alphabet": _bold,
    "letter_swap": _swap,
    "letter_lost": _one_typo,
    "rot13": lambda t: codecs.encode(t, "rot13"),
    "emoji": _between,
    "fullwidth": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "joined_by_emoji": lambda t: "🔥".join(t.split()),
}
