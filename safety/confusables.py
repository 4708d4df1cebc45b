"""Characters that look like Latin letters, mapped to them, and characters that show nothing.

Our own table of the look-alikes that keyboards and generators offer (Cyrillic, Greek, Latin
extensions, small capitals, enclosed letters); NFKC already folds the mathematical and full-width
alphabets. Leaves out the full Unicode confusables list (UTS 39): most of it cannot be typed.
"""

from __future__ import annotations

import unicodedata


def _pairs(look: str, latin: str) -> dict[int, str]:
    return {ord(a): b for a, b in zip(look, latin, strict=True)}


CONFUSABLE: dict[int, str] = {
    # Cyrillic
    **_pairs("авекмнорстухіјѕԁԛԝһѵӏгпьбзъё", "abekmhopctyxijsdqwhvlrnbb3be"),
    **_pairs("АВЕКМНОРСТУХІЈЅԌԚԜҺѴЗЁ", "ABEKMHOPCTYXIJSGQWHV3E"),
    # Greek
    **_pairs("αβεικνορτυχγωημκςϲϳ", "abeikvoptuxywnukscj"),
    **_pairs("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
    # Latin extensions, small capitals, phonetic letters
    **_pairs("ıłøđßƒɑɩʟᴀʙᴄᴅᴇꜰɢʜɪᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "ilodsfailabcdefghijkmnoprstuvwyz"),
    **_pairs("ɡȷɐɔǝəɛɥɯɹʇʌʍʎɓɗƙƥƭʋɦɨƀŧħ", "gjaceeehmrtvwybdkptvhibth"),
    # Armenian and Cherokee letters drawn like Latin ones
    **_pairs("օսցհոաᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷΝᏢᎡᏚᎢᏙᎳᏃ", "oughnwABCDEHJKLMNPRSTVWZ"),
}
# Enclosed letters that NFKC leaves alone, and regional indicators.
for _base in (0x1F150, 0x1F170, 0x1F1E6):
    CONFUSABLE.update({_base + i: chr(ord("a") + i) for i in range(26)})

_FILLERS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0x2800, 0x20E3}


def is_invisible(character: str) -> bool:
    """Zero-width, bidirectional controls, tags, variation selectors, soft hyphen, fillers."""
    code = ord(character)
    return (
        code in _FILLERS
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0000 <= code <= 0xE01EF
        or unicodedata.category(character) == "Cf"
        or (unicodedata.category(character) == "Cc" and character not in "\t\n\r")
    )
