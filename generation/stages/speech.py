"""speech: the voice-over, spoken or as recorded. Gives `speech` (None without one) to the later stages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation.contracts import Artefact, Effect, Outcome, Verdict

VOICE_OPTIONS = ("language", "rate", "pitch")


class ConsentMissing(BylineError):
    code = "consent_missing"
    status = 403
    help = "Add a voice reference with the file's SHA-256 and the id of the person's consent."


def speech(request: Any, artefact: Artefact) -> Outcome:
    """Speak the cleaned voice-over. SpeechTooLong before any frame is made when it does not fit.

    From here on something exists that needs a mark, so this stage also reserves the marks' ids.
    """
    reserve = (Effect("reserve_ids"),)
    script = artefact.produced["normalise"]["voice_over"]
    recorded = request.options.get("narration", "")
    if recorded and not script:
        raise InvalidInput(
            "A narration comes with its words as the voice-over.", help="They are moderated and captioned."
        )
    if not script:
        artefact.memory["speech"] = None
        return Outcome(Verdict.ALLOW, evidence={"spoken": False}, effects=reserve)

    from byline.generation import soundtrack

    spoken, made = _narrated(request) if recorded else _spoken(request, artefact)
    if soundtrack.needed_seconds(spoken) > request.seconds:
        raise soundtrack.SpeechTooLong(
            f"The voice-over needs a clip of {soundtrack.needed_seconds(spoken):.1f} s,"
            f" {request.seconds:g} s were asked for."
        )
    artefact.memory["speech"] = spoken
    return Outcome(
        Verdict.ALLOW,
        evidence={
            "spoken": True,
            "recorded": bool(recorded),
            "seconds": round(spoken.seconds, 2),
            "words": len(spoken.words),
        },
        effects=reserve,
        produces=made,
    )


def _spoken(request: Any, artefact: Artefact) -> tuple[Any, dict[str, Any]]:
    """The script by the voice that the request names; of a film, each scene's at its time."""
    from byline.generation import voices
    from byline.generation.films import narration, scenes

    voice = voices.load(request.options.get("voice", "default"))
    if not voice.info.synthetic:
        _require_consent(voice.info.speaker_sha256, request.references)
    options = {name: request.options[name] for name in VOICE_OPTIONS if name in request.options}
    texts = artefact.produced["normalise"]
    if request.scenes:
        artefact.check_cancelled()
        audios = [texts[f"voice_over.{number}"] for number in range(1, len(request.scenes) + 1)]
        spoken = narration.spoken(scenes.of(request), audios, lambda text: voice.speak(text, **options))
    else:
        spoken = voice.speak(texts["voice_over"], **options)
    return spoken, {
        "voice": voice.info.name,
        "voice_version": voice.info.version,
        "voice_licence": voice.info.licence,
        "voice_identifier": voice.info.identifier,
        "voice_weights_sha256": voice.info.weights_sha256,
        "timing": spoken.timing,
    }


def _narrated(request: Any) -> tuple[Any, dict[str, Any]]:
    """The uploaded recording, restored by the steps that the request asks for. The screen stage then hears
    whether it says what was moderated."""
    from byline.generation.sound import narration, restoration

    digest = request.options["narration"]
    _require_consent(digest, request.references)
    recording = narration.read(digest)
    steps = tuple(step.strip() for step in request.options.get("restore", "").split(",") if step.strip())
    samples, report = restoration.restore(recording.samples, recording.rate, steps=steps)
    done = [asdict(step) for step in report if step.applied or step.name in steps]
    return replace(recording, samples=samples), {"narration": digest, "restoration": done}


def _require_consent(sha256: str, references: Sequence[Mapping[str, str]]) -> None:
    """A real person's voice is used only for a request that refers to this very file: the consent stage has
    then found an active consent for it. ConsentMissing otherwise."""
    if sha256 not in {item["sha256"] for item in references if item["kind"] == "voice"}:
        raise ConsentMissing("The voice is a real person's, and the request refers to no consent for it.")
