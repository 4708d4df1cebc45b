"""debias: people whose attributes the prompt leaves open get seeded, quota-balanced ones.

Both prompts are kept; the editor can refuse (`debias=False`). Only words of a fixed vocabulary are
added, so the moderation of the prompt still holds for the result.
"""

from typing import Any

from byline.generation.contracts import Artefact, Effect, Outcome, Verdict


def debias(request: Any, artefact: Artefact) -> Outcome:
    """Complete the prompt. The draws are counted by an effect, so a repeated run counts once."""
    prompt = artefact.produced["normalise"]["prompt"]
    if not request.debias:
        return Outcome(Verdict.ALLOW, evidence={"refused_by_editor": True}, produces={"prompt": prompt})

    from byline.generation.models import QuotaLedger
    from byline.safety.debias import debias as complete

    done = complete(prompt, seed=request.seed, counts=QuotaLedger.counts(request.project))
    draws = list(done.draws)
    return Outcome(
        Verdict.TRANSFORM if done.prompt != prompt else Verdict.ALLOW,
        evidence={
            "refused_by_editor": False,
            "changes": len(done.changes),
            "draws": draws,
            "left": done.left,
        },
        effects=(Effect("quota_draw", {"cells": draws}),) if draws else (),
        produces={"prompt": done.prompt, "draws": draws},
    )
