"""Give people whom a prompt leaves open attributes from a seeded, balanced quota.

Promises: only open mentions change (byline.safety.mentions); the same prompt, seed, target and counts
give the same result; over a ledger the joint table of the brand's attributes fills towards its target
shares. `counts` is what was drawn before, `draws` what this call adds; the caller keeps the ledger and
both prompts. English wording is in fairness/wording.py; Spanish, French, German and Chinese have
templates for plain phrases (fairness/foreign.py), everything else is left and says why. Leaves out
outputs: what the model draws from the words is measured elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from byline.safety.fairness import foreign, wording
from byline.safety.fairness.attributes import Target, uniform
from byline.safety.fairness.quota import Quota
from byline.safety.fairness.wording import Change
from byline.safety.mentions import read

__all__ = ["Change", "Debiased", "debias", "rules_version"]


@dataclass(frozen=True)
class Debiased:
    """`draws` are the ledger's new cells, in order. `left` says why a prompt was left alone: "language",
    "template" (people were found, but the language has no wording for the phrase), "named", "historic",
    "event", or "" when it was rewritten or shows no open person."""

    prompt: str
    changes: tuple[Change, ...] = ()
    draws: tuple[str, ...] = ()
    left: str = ""


def debias(prompt: str, *, seed: int, counts: Mapping[str, int], target: Target | None = None) -> Debiased:
    """Rewrite the open mentions of a prompt. `counts` maps cells to earlier draws of this ledger."""
    reading = read(prompt)
    quota = Quota(target or uniform(), counts, seed)
    left = reading.left
    if left == "language" or not (reading.mentions or left):
        changes, left = foreign.rewrite(prompt, quota, left)
    else:
        changes = wording.rewrite(prompt, reading.mentions, quota)
    out = prompt
    for change in reversed(changes):
        out = out[: change.start] + change.replacement + out[change.end :]
    return Debiased(out, tuple(changes), tuple(quota.draws), left)


@cache
def rules_version() -> str:
    """Names the word lists and templates that a rewrite came from: a replay with others may differ."""
    digest = hashlib.sha256()
    for name in ("person_nouns.yaml", "person_templates.yaml"):
        digest.update(resources.files("byline.safety").joinpath("data", name).read_bytes())
    return digest.hexdigest()[:16]
