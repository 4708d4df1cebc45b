"""The sound of a clip for the watermark stage: voice over bed at its loudness, marked, and described."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from byline.generation.contracts import Artefact
from byline.generation.presentation import Presentation
from byline.generation.stages.debias import final_prompt
from byline.generation.stages.stopwatch import Stopwatch

# Shorter speech has few whole turns of the code: it is marked in the picture alone, says so, and its
# manifest claims none in the speech. Clips cut to 3 s after marking were all read (docs/watermark_audio.md).
MIN_MARKED_SPEECH_S = 3.0


@dataclass(frozen=True)
class Sound:
    """The clip's sound. `mark` is the marker that marked it, None where none did; `described` is the audio
    description, as long as the clip, with its language. `facts` are for the record, `operations` and
    `models` for the manifest."""

    samples: np.ndarray | None
    rate: int
    cues: list[Any]
    mark: Any
    music: Mapping[str, str]
    effects: tuple[str, ...]
    facts: Mapping[str, Any]
    described: tuple[np.ndarray, str] | None = None
    operations: list[dict[str, str]] = field(default_factory=list)
    models: list[dict[str, str]] = field(default_factory=list)


def make(request: Any, artefact: Artefact, look: Presentation, clock: Stopwatch) -> Sound:
    """Speech, music and effects of the whole clip as one sound of the loudness asked for, marked."""
    from byline.generation import captions, soundtrack
    from byline.generation.sound import loudness, scoring

    rate, speech = soundtrack.RATE, artefact.memory["speech"]
    prompt = artefact.produced["debias"]["prompt"]
    bed = scoring.bed(request.options, seconds=request.seconds, seed=request.seed, prompt=prompt)
    voice, cues = None, []
    words: tuple[Any, ...] = ()
    if speech is not None:
        track = _laid(request, artefact, speech)
        laid = replace(speech, samples=track.samples, rate=rate, words=track.words)
        cues = captions.from_speech(laid, artefact.produced["normalise"]["voice_over"])
        voice, words = track.samples, track.words
    if voice is None and bed is None and not look.describe:
        return Sound(None, rate, [], None, {}, (), {})
    facts: dict[str, Any] = {}
    sound = Sound(None, rate, cues, None, bed.music if bed else {}, bed.effects if bed else (), facts)
    if voice is None and bed is None:
        quiet = np.zeros(round(request.seconds * rate), np.float32)
        return _described(request, artefact, replace(sound, samples=quiet), [], clock)
    samples = scoring.finish(voice, bed, request.options).samples
    if look.sound:
        samples = scoring.levelled(_announced(request, samples, look.sound), request.options)
        facts["announced"] = look.sound
    mark = None
    if (request.seconds if bed else speech.seconds) >= MIN_MARKED_SPEECH_S:
        samples, mark = _marked(samples, rate, request, clock)
    heard = loudness.measure(samples, rate)
    facts |= {
        "loudness_lufs": round(heard.integrated, 1),
        "true_peak_dbtp": round(heard.true_peak, 1),
        "music": bed.music.get("name", "none") if bed else "none",
        "effects": len(bed.effects) if bed else 0,
    }
    sound = replace(sound, samples=samples, mark=mark)
    return _described(request, artefact, sound, words, clock) if look.describe else sound


def _laid(request: Any, artefact: Artefact, speech: Any) -> Any:
    """The speech in the clip's time; of an edit, the parts of it that the edit shows."""
    from byline.generation import soundtrack
    from byline.generation.renditions import editing

    if "cuts" not in artefact.memory:
        return soundtrack.lay(speech, seconds=request.seconds)
    parts, whole = artefact.memory["cuts"]
    track = soundtrack.lay(speech, seconds=whole)
    samples = editing.cut_track(track.samples, track.rate, parts, request.seconds)
    return replace(track, samples=samples, words=editing.cut_words(track.words, parts))


def _marked(samples: np.ndarray, rate: int, request: Any, clock: Stopwatch) -> tuple[np.ndarray, Any]:
    """The sound with the request's mark and its marker; as it came, and None, where it cannot be found."""
    from byline.audit.base import keyring
    from byline.generation.sound import scoring
    from byline.provenance.marks import markers

    with clock.part("mark"):
        marker = markers.load("audio", [keyring.read("watermark")])
        # The mark moves level and peaks by a little: back to what was asked for, then looked for.
        marked = scoring.levelled(marker.embed(samples, rate, request.audio_id), request.options)
        found = marker.detect(marked, rate)
    if found is not None and found.payload == request.audio_id:
        return marked, marker
    return samples, None


def _announced(request: Any, samples: np.ndarray, how: str) -> np.ndarray:
    """The sound after the notice that it is generated."""
    from byline.generation import soundtrack, voices
    from byline.generation.sound import announcing

    if how == "morse":
        return announcing.announced(samples, soundtrack.RATE, announcing.morse(soundtrack.RATE))
    said, language = announcing.words(request.options.get("language", "en-us"))
    spoken = voices.load("default").speak(said, language=language)
    notice = soundtrack.resample(spoken.samples, spoken.rate, soundtrack.RATE)
    return announcing.announced(samples, soundtrack.RATE, notice)


def _described(request: Any, artefact: Artefact, sound: Sound, words: Any, clock: Stopwatch) -> Sound:
    """`sound` with an audio description of its shots beside it, levelled and marked like the sound itself."""
    from byline.generation import voices
    from byline.generation.films import scenes
    from byline.generation.sound import announcing, description, scoring

    if sound.samples is None:
        return sound
    voice = voices.load("default")
    if not voice.info.synthetic:
        raise description.DescriptionUnavailable("the default voice is a real person's")
    prompt = final_prompt(artefact)
    if request.scenes:
        texts = scenes.lines(request, prompt)
        shown = [
            description.Line(scene.start, scene.start + scene.seconds, text)
            for scene, text in zip(scenes.of(request), texts, strict=True)
        ]
    else:
        shown = [description.Line(0.0, request.seconds, prompt.replace("\n", " "))]
    said, language = announcing.words("en-us")  # prompts are described in the language that models read
    found = description.describe(
        sound.samples,
        shown,
        description.heard(words),
        voice.speak(said, language=language),
        lambda text: voice.speak(text, language=language),
    )
    samples, mark = _marked(scoring.levelled(found.samples, request.options), sound.rate, request, clock)
    told = {
        "lines": len(found.placed),
        "over_speech": sum(item.over for item in found.placed),
        "left_out": found.left_out,
        "marked": mark is not None,
    }
    info = voice.info
    operation = {
        "action": "c2pa.mixed",
        "description": "an audio description was added as a second sound track",
        "source_type": "algorithmicMedia",
    }
    model = {
        "name": info.name,
        "version": info.version,
        "role": "synthetic speech of the audio description",
        "identifier": info.identifier,
        "licence": info.licence,
        "weights_sha256": info.weights_sha256,
    }
    return replace(
        sound,
        described=(samples, language),
        facts={**sound.facts, "description": told},
        operations=[operation],
        models=[model],
    )
