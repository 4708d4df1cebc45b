"""Violence and weapons in the picture, and agreement with the prompt, where a screener is configured."""

from __future__ import annotations

import datetime as dt

from byline.safety.checks import Check
from byline.safety.policy_model import STRENGTH, Circumstances, Policy
from byline.safety.screen import adapters
from byline.safety.screen.base import Frames


def content(role: str, frames: Frames, policy: Policy, profile: str, brand: str) -> Check:
    """Role "violence" or "weapons": scores by category, turned into an action by the policy's bands."""
    name = f"output.{role}"
    scorer = adapters.load(role)
    if scorer is None:
        return Check(name, "unavailable", detail=f"no screener for {role} is configured (SCREENERS)")
    scores = {category: round(float(score), 3) for category, score in scorer.scores(frames).items()}
    where = Circumstances(brand, dt.date.today())
    actions = {c: policy.decide(profile, c, score, where).action for c, score in scores.items()}
    worst = max(scores, key=lambda c: (STRENGTH[actions[c]], scores[c]), default="")
    evidence = {"frames": len(frames), "scores": scores}
    if not worst or actions[worst] == "allow":
        return Check(name, "available", score=scores.get(worst), evidence=evidence)
    return Check(
        name,
        "available",
        actions[worst],
        f"the picture may show {role}",
        worst,
        policy.clause(worst),
        score=scores[worst],
        evidence=evidence,
    )


def agreement(frames: Frames, prompt: str, model: str) -> Check:
    """How well the clip fits its prompt. A score for people to read; it holds nothing by itself."""
    name = "output.agreement"
    scorer = adapters.load("agreement")
    if scorer is None:
        return Check(name, "unavailable", detail="no screener for agreement is configured (SCREENERS)")
    if not scorer.covers(model):
        return Check(
            name, "unavailable", detail="the configured screener does not know this engine's pictures"
        )
    score = round(float(scorer.score(frames, prompt)), 3)
    detail = f"the prompt fits better than {score:.0%} of others"
    return Check(name, "available", detail=detail, score=score, evidence={"frames": len(frames)})
