"""normalise and moderate: what was written, made clean, and whether it may be made at all."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.films import scenes
from byline.safety import policy
from byline.safety.confusables import is_invisible
from byline.safety.normalise import normalise as unmask
from byline.safety.policy import STRENGTH

FIELDS = ("prompt", "edited_prompt", "voice_over", "negative_prompt", "title")
JOINERS = "\u200c\u200d"  # zero width non-joiner and joiner
_VERDICTS = {"allow": Verdict.ALLOW, "review": Verdict.HOLD, "block": Verdict.REJECT}


def clean(text: str) -> str:
    """The text as engine and voice get it: composed, without invisible or control characters.

    Joiners stay between letters of Arabic and Indic scripts, where they change how a word is read.
    """
    kept: list[str] = []
    for c in unicodedata.normalize("NFC", text):
        joins = c in JOINERS and bool(kept) and "\u0600" <= kept[-1] <= "\u0dff"
        if c.isspace():
            kept.append(" ")
        elif joins or not (is_invisible(c) or unicodedata.category(c) == "Cc"):
            kept.append(c)
    return " ".join("".join(kept).split())


def normalise(request: Any, artefact: Artefact) -> Outcome:
    """Clean the texts. The disguises that moderation will see through are named, never their text."""
    raw = _written(request)
    texts = {field: clean(text) for field, text in raw.items()}
    steps = {field: list(unmask(text).steps) for field, text in raw.items() if text}
    used = texts | (scenes.rejoined(request, texts) if request.scenes else {})
    changed = texts != raw
    return Outcome(
        Verdict.TRANSFORM if changed else Verdict.ALLOW,
        evidence={"cleaned": sorted(f for f in raw if texts[f] != raw[f]), "disguises": steps},
        produces={**used, "analysis": _analysis(used)},
    )


def _written(request: Any) -> dict[str, str]:
    """The texts as they were written. A film's prompt and voice-over are those of its scenes, by number."""
    own = {field: getattr(request, field) for field in FIELDS}
    numbered = scenes.numbered(request)
    return {name: text for name, text in own.items() if not numbered or name not in scenes.JOINED} | numbered


def _analysis(texts: Mapping[str, str]) -> dict[str, Any]:
    """Key phrases, summary and sentiment of what was asked for; they stay in the request's own rows."""
    from byline.generation import script
    from byline.generation.script.analysis import guess_language

    whole = "\n".join(text for field in ("prompt", "voice_over") if (text := texts[field]))
    found = script.analyse(whole, guess_language(whole))
    return {**asdict(found), "keywords": list(found.keywords)}


def moderate(request: Any, artefact: Artefact) -> Outcome:
    """Judge the texts as they were written and, where cleaning changed them, as they will be used.

    The words that fired go into `produces`, which stays in the request's own row like the texts.
    """
    from byline.safety import activation, explain
    from byline.safety.moderation import moderate as judge

    chosen = policy.load()
    raw = _written(request)
    cleaned = {field: artefact.produced["normalise"].get(field, "") for field in raw}
    found = [
        judge(texts, chosen, request.profile, brand=request.brand)
        for texts in ([raw] if raw == cleaned else [raw, cleaned])
    ]
    worst = max(found, key=lambda result: STRENGTH[result.action])
    return Outcome(
        _VERDICTS[worst.action],
        checks=(activation.check(chosen), *(check for result in found for check in result.checks)),
        evidence={"policy_version": worst.policy_version, "view": worst.view, "layer": worst.layer},
        produces={
            "policy_version": worst.policy_version,
            "fired": [_told(reason.as_dict(), chosen) for reason in explain.fired(worst)],
        },
        code="" if worst.action == "allow" else f"moderation_{worst.action}",
        category=worst.category,
        clause=worst.clause,
        message=_message(worst.action),
        help=worst.help,
    )


def _told(reason: dict[str, Any], chosen: policy.Policy) -> dict[str, Any]:
    """A reason with what the policy says about it today, which may not be what it says when it is read."""
    category = reason["category"]
    return {**reason, "clause": chosen.clause(category), "help": chosen.clauses[category].help}


def _message(action: str) -> str:
    return {
        "allow": "",
        "review": "The policy wants a person to look at this request first.",
        "block": "The policy does not allow this request.",
    }[action]
