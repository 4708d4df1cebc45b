"""Personal data written out in a text: card and account numbers, addresses, identity numbers.

Promises: numbers with a check digit (cards by Luhn, IBAN by ISO 7064 mod 97-10) count only when
it is right. Returns kinds and positions, never the data. Leaves out names and street addresses
without a number; those need a language model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CARD = re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}(?!\w)")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}(?!\w)")
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?|\d{2,4}[ .-])\d{3,4}[ .-]?\d{3,4}(?![\w.])"
)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_STREET = re.compile(
    r"(?<!\w)\d{1,5}[A-Za-z]? (?:[A-Z][\w'.]+ ){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Terrace|Close|Crescent|Way)(?!\w)"
)
_LABELLED = re.compile(
    r"(?<!\w)(?:passport|licen[sc]e|social security|national insurance|medical record|account|pin|cvv|"
    r"password)"
    r"(?: number| no\.?| code)?(?: is|:|#) ?[\w-]{3,20}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PersonalData:
    """`score` says how sure and how grave: 0.95 checked numbers, 0.6 contact details."""

    kind: str
    start: int
    end: int
    score: float


def find(text: str) -> tuple[PersonalData, ...]:
    """Personal data in the text, in order of position."""
    hits = [PersonalData("card", *m.span(), 0.95) for m in _CARD.finditer(text) if luhn(m.group(0))]
    hits += [PersonalData("iban", *m.span(), 0.95) for m in _IBAN.finditer(text) if iban(m.group(0))]
    hits += [PersonalData("social_security", *m.span(), 0.9) for m in _SSN.finditer(text)]
    hits += [
        PersonalData("labelled", *m.span(), 0.7)
        for m in _LABELLED.finditer(text)
        if any(c.isdigit() for c in m.group(0))
    ]
    hits += [PersonalData("email", *m.span(), 0.6) for m in _EMAIL.finditer(text)]
    hits += [PersonalData("phone", *m.span(), 0.6) for m in _PHONE.finditer(text)]
    hits += [PersonalData("address", *m.span(), 0.6) for m in _STREET.finditer(text)]
    return tuple(sorted(hits, key=lambda h: h.start))


def luhn(number: str) -> bool:
    """ISO/IEC 7812 check digit; all-equal digits are refused although they may pass."""
    digits = [int(c) for c in number if c.isdigit()]
    if len(digits) < 13 or len(set(digits)) == 1:
        return False
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return total % 10 == 0


def iban(number: str) -> bool:
    """ISO 13616 account number, check digits by mod 97-10."""
    compact = number.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
