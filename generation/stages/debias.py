"""debias: people whose attributes the prompt leaves open get seeded, quota-balanced ones.

Both prompts are kept. The editor may have answered a proposal: accepted, in own words (moderated as
"edited_prompt"), or refused. Without an answer an effect draws, in the transaction of this stage and
under the brand's lock, so that two workers never fill one gap. Only words of a fixed vocabulary are
added, so the moderation of the prompt still holds for the result. Nothing is drawn for a person whom a
reference shows, and an instruction to change a real person's demographics is refused here. The visuals of a
film are completed as one text, a line for each (films/scenes.py).
"""

from typing import Any

from byline.generation.contracts import Artefact, Effect, Outcome, Verdict
from byline.generation.films import scenes


def debias(request: Any, artefact: Artefact) -> Outcome:
    """Complete the prompt, or say why not. The draw is an effect, so a repeated run counts once."""
    from byline.safety.fairness import depicted

    texts = artefact.produced["normalise"]
    prompt = texts.get("edited_prompt") or texts["prompt"]
    visuals = scenes.lines(request, prompt) if request.scenes else []
    earlier = scenes.known(request) if visuals and request.debias else {}
    if visuals:  # what an earlier request of the film had completed stays as it is
        prompt = "\n".join(earlier.get(visual, visual) for visual in visuals)
    complete = bool(visuals) and set(visuals) <= set(earlier)
    film = {"visuals": visuals} if visuals else {}
    shown = any(reference["kind"] == "face" for reference in request.references)
    whose = depicted.change(texts["prompt"], shown=shown) or depicted.change(prompt, shown=shown)
    if whose == "real":
        return _REAL_PERSON
    if whose == "invented" and not request.debias_reason:
        return _NO_REASON
    effects = [_logged(request, whose)] if whose else []
    evidence = {"refused_by_editor": not request.debias, "demographics_changed": whose}
    if shown or not request.debias or texts.get("edited_prompt") or complete:
        produces = {"prompt": prompt, **film}
        return Outcome(Verdict.ALLOW, evidence=evidence, effects=tuple(effects), produces=produces)
    accepted = getattr(request, "rewrite", None)
    if accepted is not None:
        evidence["draws"] = accepted.draws
        return Outcome(
            Verdict.TRANSFORM,
            evidence=evidence,
            effects=tuple(effects),
            produces={"prompt": accepted.proposed},
        )
    people = _people(prompt)
    if people:
        effects.append(Effect("quota_draw", {"prompt": prompt}))
    return Outcome(
        Verdict.TRANSFORM if people else Verdict.ALLOW,
        evidence=evidence,
        effects=tuple(effects),
        produces={"prompt": prompt, **film},
    )


def final_prompt(artefact: Artefact) -> str:
    """The prompt that the engine got: in the expander's words, or as `drawn_prompt` says."""
    return str(artefact.produced.get("engine", {}).get("expanded_prompt") or drawn_prompt(artefact))


def drawn_prompt(artefact: Artefact) -> str:
    """The prompt after debiasing: drawn by the effect, accepted, edited, or as it was written."""
    done = artefact.produced["debias"]
    return str(done.get("effects", {}).get("quota_draw", done)["prompt"])


def _people(prompt: str) -> bool:
    """Whether there is anything to draw or to count: an open person, or one that the text describes."""
    from byline.safety.debias import debias as complete
    from byline.safety.fairness import stated

    return bool(complete(prompt, seed=0, counts={}).changes or stated.people(prompt, ("gender",)))


def _logged(request: Any, whose: str) -> Effect:
    reason = request.commit("debias_reason", request.debias_reason)
    payload = {"subject": whose, "brand": request.brand, "reason": reason}
    return Effect("append", {"kind": "generation.demographics_changed", "payload": payload})


_REAL_PERSON = Outcome(
    Verdict.REJECT,
    code="demographics_of_real_person",
    category="real_person",
    message="The request would change gender, skin, origin or age of a real person.",
    help="Show the person as they are, or describe an invented one. No role can release this.",
)
_NO_REASON = Outcome(
    Verdict.REJECT,
    code="reason_needed",
    message="The request changes gender, skin, origin or age of a person who is already depicted.",
    help="Send it again with a reason (debias_reason); it is kept with the request and committed in the log.",
)
