"""screen: the frames and the voice as they were made, looked at before anything is composed."""

from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.safety.checks import Check


def screen(request: Any, artefact: Artefact) -> Outcome:
    """Screen every shot and the speech. The checks decide (verdict.py), this stage only asks for them."""
    from byline.safety.screen.frames import screen as screen_frames
    from byline.safety.screen.speech import screen as screen_speech

    made = artefact.produced["engine"]
    checks: list[Check] = []
    for shot in artefact.memory["shots"]:
        artefact.check_cancelled()
        checks += screen_frames(shot, made["fps"], drawn_by_us=made["drawn"])
    spoken = artefact.memory["speech"]
    if spoken is not None:
        script = artefact.produced["normalise"]["voice_over"]
        language = request.options.get("language", "en-us")
        checks.append(screen_speech(spoken.samples, spoken.rate, script, language=language))
    return Outcome(Verdict.ALLOW, checks=tuple(checks), evidence={"shots": len(artefact.memory["shots"])})
