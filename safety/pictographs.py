"""Emoji that stand for a word of a request, and how to tell emoji from letters.

A short table of our own: the signs that people use in place of the words that filters look for, and
those needed to read a sentence written with them. Everything else between words means nothing here.
Leaves out strings of emoji that only together say something.
"""

from __future__ import annotations

import re

_TABLE = {
    "bomb": "💣🧨", "gun": "🔫", "knife": "🔪🗡", "blood": "🩸", "kill": "☠",
    "dead": "💀⚰🪦", "poison": "🧪", "pills": "💊", "syringe": "💉", "smoke": "🚬",
    "weed": "🌿🍁", "snort": "👃", "beer": "🍺🍻", "cocaine": "❄", "penis": "🍆",
    "ass": "🍑", "cum": "💦", "pussy": "🐱", "breasts": "🍒", "sex": "🔞", "tongue": "👅",
    "kiss": "💋😘", "bikini": "👙", "bra": "👙", "bed": "🛏🛌", "lips": "👄", "child": "🧒",
    "girl": "👧", "boy": "👦", "baby": "👶🍼", "woman": "👩👱", "man": "👨🧔",
    "people": "👥👪", "old man": "👴", "old woman": "👵", "police": "👮🚓🚔",
    "monkey": "🐒🐵🙈", "rat": "🐀", "pig": "🐖🐷", "snake": "🐍", "hang": "🪢", "axe": "🪓",
    "saw": "🪚", "hammer": "🔨", "sword": "⚔", "fire": "🧯", "explosion": "💥",
    "money": "💰💵💸🤑", "bank": "🏦", "card": "💳", "phone": "📱", "computer": "💻",
    "lock": "🔒🔓", "key": "🔑", "house": "🏠🏡", "school": "🏫", "church": "⛪",
    "mosque": "🕌", "synagogue": "🕍", "hospital": "🏥", "car": "🚗🚙", "bus": "🚌",
    "train": "🚆", "plane": "✈🛩", "vote": "🗳", "camera": "📷📸🎥", "video": "📹📼🎬",
    "news": "📰🗞", "eye": "👁", "president": "🤵", "king": "🤴", "queen": "👸", "cut": "✂",
    "stop": "🛑",
}  # fmt: skip
WORDS: dict[str, str] = {sign: word for word, signs in _TABLE.items() for sign in signs}

_SIGN = (
    "\U0001f000-\U0001f16f\U0001f18a-\U0001f1e5\U0001f200-\U0001faff"
    "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff"
)
SIGNS = re.compile(f"[{_SIGN}]+")
BETWEEN = re.compile(rf"(?<=\w)[{_SIGN}]+(?=\w)")
