"""speech: the voice-over, spoken. Gives `speech` (None without a voice-over) to the later stages."""

from collections.abc import Mapping, Sequence
from typing import Any

from byline.audit.base.errors import BylineError
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
    if not script:
        artefact.memory["speech"] = None
        return Outcome(Verdict.ALLOW, evidence={"spoken": False}, effects=reserve)

    from byline.generation import soundtrack, voices

    voice = voices.load(request.options.get("voice", "default"))
    _require_consent(voice.info, request.references)
    options = {name: request.options[name] for name in VOICE_OPTIONS if name in request.options}
    spoken = voice.speak(script, **options)
    if soundtrack.needed_seconds(spoken) > request.seconds:
        raise soundtrack.SpeechTooLong(
            f"The voice-over needs a clip of {soundtrack.needed_seconds(spoken):.1f} s,"
            f" {request.seconds:g} s were asked for."
        )
    artefact.memory["speech"] = spoken
    return Outcome(
        Verdict.ALLOW,
        evidence={"spoken": True, "seconds": round(spoken.seconds, 2), "words": len(spoken.words)},
        effects=reserve,
        produces={
            "voice": voice.info.name,
            "voice_version": voice.info.version,
            "voice_licence": voice.info.licence,
            "voice_identifier": voice.info.identifier,
            "voice_weights_sha256": voice.info.weights_sha256,
            "timing": spoken.timing,
        },
    )


def _require_consent(info: Any, references: Sequence[Mapping[str, str]]) -> None:
    """A real person's timbre is used only for a request that refers to this very file: the consent stage
    has then found an active consent for it. ConsentMissing otherwise."""
    referred = {item["sha256"] for item in references if item["kind"] == "voice"}
    if not info.synthetic and info.speaker_sha256 not in referred:
        raise ConsentMissing("The voice is a real person's, and the request refers to no consent for it.")
