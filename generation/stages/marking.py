"""watermark: speech marked, frames composed, marked and encoded in one pass over the frames.

Frame by frame: composed (title, captions, label) -> marked -> encoded. There is never an unmarked
file on disk, and never a list of full-size frames in memory.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.publication import mark_id
from byline.generation.stages.stopwatch import Stopwatch

WIDTH, HEIGHT, FPS = 1280, 720, 24
# Shorter speech has few whole turns of the code: it is marked in the picture alone, says so, and its
# manifest claims none in the speech. Clips cut to 3 s after marking were all read (docs/watermark_audio.md).
MIN_MARKED_SPEECH_S = 3.0


def watermark(request: Any, artefact: Artefact) -> Outcome:
    """Write the marked, labelled, captioned clip as the file `encoded`.

    `evidence["parts_s"]` tells the seconds of composing, marking and encoding apart: of these three only
    marking is there for responsibility's sake.
    """
    from byline.audit.base import keyring
    from byline.generation import brands
    from byline.generation.compose import compose
    from byline.generation.encode import write_mp4
    from byline.provenance.marks import markers

    writer = markers.load("video", [keyring.read("watermark")])
    options, made = request.options, artefact.produced["engine"]
    brand, title = brands.load(request.brand), artefact.produced["normalise"]["title"]
    size = options.get("width", WIDTH), options.get("height", HEIGHT)
    fps = options.get("fps", FPS)
    clock = Stopwatch()
    with clock.part("compose"):
        sound = _sound(request, artefact, clock)
        frames = compose(
            artefact.memory["shots"],
            made["fps"],
            brand=brand,
            title=title,
            captions=sound.cues,
            size=size,
            fps=fps,
            seconds=request.seconds,
            lengths=[scene["seconds"] for scene in request.scenes],
        )
    composed = clock.pulled("compose", frames)
    marked = writer.embed(_watched(composed, round(request.seconds * fps), artefact), mark_id(request))
    bindings = [_binding(writer, mark_id(request), "picture")]
    spoken = artefact.memory["speech"] is not None
    if sound.mark is not None:
        bindings.append(_binding(sound.mark, request.audio_id, "speech" if spoken else "sound"))
    language = options.get("language", "en-us")
    path = artefact.workdir / "encoded.mp4"
    with clock.part("encode"):
        pictures = clock.pulled("mark", marked)
        encoded = write_mp4(path, pictures, fps, sound.samples, sound.rate, sound.cues, language, title=title)
    return Outcome(
        Verdict.TRANSFORM,
        evidence={
            "picture": "marked",
            "speech": _told(sound, spoken),
            **sound.facts,
            "marks": [binding["alg"] for binding in bindings],
            "frames": encoded.frames,
            "size": f"{encoded.width}x{encoded.height}",
            "bytes": encoded.bytes,
            "captions": len(sound.cues),
            "parts_s": clock.seconds(),
        },
        produces={
            "audio_marked": sound.mark is not None,
            "music": sound.music,
            "effects": list(sound.effects),
            "bindings": bindings,
            "inputs": [asdict(item) for item in brands.inputs(brand)],
            "seconds": encoded.seconds,
            "fps": fps,
        },
        files={"encoded": path},
    )


def _binding(marker: Any, payload: int, where: str) -> dict[str, str]:
    """The fields of a manifest's SoftBinding for a mark that was written."""
    from byline.provenance.marks.algorithms import alg_of, value_of

    return {"alg": alg_of(marker).alg, "value": value_of(marker, payload), "where": where}


@dataclass(frozen=True)
class _Sound:
    """The clip's sound. `mark` is the marker that marked it, None where none did; `facts` for the record."""

    samples: np.ndarray | None
    rate: int
    cues: list[Any]
    mark: Any
    music: Mapping[str, str]
    effects: tuple[str, ...]
    facts: Mapping[str, Any]


def _sound(request: Any, artefact: Artefact, clock: Stopwatch) -> _Sound:
    """Speech, music and effects of the whole clip as one sound of the loudness asked for, marked."""
    from byline.audit.base import keyring
    from byline.generation import captions, soundtrack
    from byline.generation.sound import loudness, scoring
    from byline.provenance.marks import markers

    rate, speech = soundtrack.RATE, artefact.memory["speech"]
    prompt = artefact.produced["debias"]["prompt"]
    bed = scoring.bed(request.options, seconds=request.seconds, seed=request.seed, prompt=prompt)
    if speech is None and bed is None:
        return _Sound(None, rate, [], None, {}, (), {})
    voice, cues = None, []
    if speech is not None:
        track = soundtrack.lay(speech, seconds=request.seconds)
        laid = replace(speech, samples=track.samples, rate=rate, words=track.words)
        cues = captions.from_speech(laid, artefact.produced["normalise"]["voice_over"])
        voice = track.samples
    samples = scoring.finish(voice, bed, request.options).samples
    mark = None
    if (request.seconds if bed else speech.seconds) >= MIN_MARKED_SPEECH_S:
        with clock.part("mark"):
            marker = markers.load("audio", [keyring.read("watermark")])
            # The mark moves level and peaks by a little: back to what was asked for, then looked for.
            marked = scoring.levelled(marker.embed(samples, rate, request.audio_id), request.options)
            found = marker.detect(marked, rate)
        if found is not None and found.payload == request.audio_id:
            samples, mark = marked, marker
    heard = loudness.measure(samples, rate)
    facts = {
        "loudness_lufs": round(heard.integrated, 1),
        "true_peak_dbtp": round(heard.true_peak, 1),
        "music": bed.music.get("name", "none") if bed else "none",
        "effects": len(bed.effects) if bed else 0,
    }
    return _Sound(samples, rate, cues, mark, bed.music if bed else {}, bed.effects if bed else (), facts)


def _told(sound: _Sound, spoken: bool) -> str:
    if sound.mark is not None:
        return "marked"
    return "too short for a mark of its own" if spoken or sound.samples is not None else "none"


def _watched(frames: Iterable[np.ndarray], total: int, artefact: Artefact) -> Iterator[np.ndarray]:
    """The frames as they are, with progress and a look for a cancellation at each."""
    for number, frame in enumerate(frames, start=1):
        artefact.check_cancelled()
        yield frame
        artefact.progress(min(number / total, 1.0), f"frame {number} of {total}")
