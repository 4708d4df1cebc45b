"""screen: the frames and the voice as they were made, looked at before anything is composed."""

from functools import partial
from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.films import scenes
from byline.generation.stages import review_sheet
from byline.generation.stages.debias import final_prompt
from byline.safety.checks import Check

LOOKED_AT = 8  # frames of the clip for the checks that ask a model of somebody else's


def screen(request: Any, artefact: Artefact) -> Outcome:
    """Screen every shot and the speech. The checks decide (verdict.py), this stage only asks for them.

    `produces["fingerprints"]` are hashes of the frames as plain values: with them a clip that a reviewer
    rejects stays down (byline.safety.hashlists.lists.add_rejected).
    """
    from byline.safety import policy
    from byline.safety.screen.frames import screen as screen_frames

    made, shots = artefact.produced["engine"], artefact.memory["shots"]
    # Each reference was covered by a consent when the stage of that name let it pass.
    consented = sum(reference.get("kind") == "face" for reference in request.references)
    checks: list[Check] = []
    for shot in shots:
        artefact.check_cancelled()
        checks += screen_frames(shot, made["fps"], drawn_by_us=made["drawn"], consented=consented)
    found, prints = _clip(request, artefact)
    checks += found
    if artefact.memory["speech"] is not None:
        artefact.check_cancelled()
        checks += _voice(request, artefact)
    may_be_unavailable = policy.load().may_be_unavailable
    return Outcome(
        Verdict.ALLOW,
        checks=tuple(checks),
        evidence={"shots": len(shots)},
        produces={"fingerprints": prints},
        files=review_sheet.write(
            artefact, checks, lambda name: may_be_unavailable(request.profile, name, request.brand)
        ),
    )


def _clip(request: Any, artefact: Artefact) -> tuple[list[Check], list[dict[str, str]]]:
    """What looks at the clip as a whole, and its fingerprints."""
    from byline.safety import policy
    from byline.safety.screen import no_go, words
    from byline.safety.screen.content import agreement, content
    from byline.safety.screen.frames import sample
    from byline.safety.screen.guarded import guarded

    made, shots = artefact.produced["engine"], artefact.memory["shots"]
    chosen, whose = policy.load(), (request.profile, request.brand)
    each = max(1, LOOKED_AT // len(shots))
    frames = [frame for shot in shots for frame in sample(shot, made["fps"], each)]
    prompt = final_prompt(artefact)
    prompts = scenes.lines(request, prompt) if request.scenes else [prompt] * len(shots)
    prints = no_go.fingerprints(shots, made["fps"])
    artefact.check_cancelled()
    checks = [
        guarded(no_go.NAME, lambda: no_go.no_go(prints)),
        guarded("output.violence", lambda: content("violence", frames, chosen, *whose)),
        guarded("output.weapons", lambda: content("weapons", frames, chosen, *whose)),
        guarded("output.frame_text", lambda: words.frame_text(frames, chosen, *whose)),
        *(
            guarded("output.agreement", partial(agreement, shot, prompt, made["model"]))
            for shot, prompt in zip(shots, prompts, strict=True)
        ),
    ]
    return checks, no_go.plain(prints)


def _voice(request: Any, artefact: Artefact) -> list[Check]:
    """The speech against its script, and by itself."""
    from byline.safety import policy
    from byline.safety.screen import words
    from byline.safety.screen.guarded import guarded
    from byline.safety.screen.speech import screen as screen_speech

    spoken = artefact.memory["speech"]
    script = artefact.produced["normalise"]["voice_over"]
    language = request.options.get("language", "en-us")
    heard = (spoken.samples, spoken.rate, language)
    judge = (policy.load(), request.profile, request.brand)
    return [
        screen_speech(spoken.samples, spoken.rate, script, language=language),
        guarded(
            "output.transcript",
            lambda: words.transcript(*heard, *judge),
        ),
    ]
