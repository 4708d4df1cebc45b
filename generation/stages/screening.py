"""screen: the frames and the voice as they were made, looked at before anything is composed."""

from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict


def screen(request: Any, artefact: Artefact) -> Outcome:
    """Screen every shot and the speech. The checks decide (verdict.py), this stage only asks for them."""
    from byline.safety.screen import frames, speech

    made = artefact.produced["engine"]
    checks = []
    for shot in artefact.memory["shots"]:
        artefact.check_cancelled()
        checks += frames.screen(shot, made["fps"], drawn_by_us=made["drawn"])
    spoken = artefact.memory["speech"]
    if spoken is not None:
        checks.append(
            speech.screen(spoken.samples, spoken.rate, artefact.produced["normalise"]["voice_over"])
        )
    return Outcome(Verdict.ALLOW, checks=tuple(checks), evidence={"shots": len(artefact.memory["shots"])})
