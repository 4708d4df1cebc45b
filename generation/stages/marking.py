"""watermark: speech marked, frames composed, marked and encoded in one pass over the frames.

Frame by frame: composed (title, captions, label) -> marked -> encoded. There is never an unmarked
file on disk, and never a list of full-size frames in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.publication import mark_id

WIDTH, HEIGHT, FPS = 1280, 720, 24
# Shorter speech has few whole turns of the code: it is marked in the picture alone, says so, and its
# manifest claims none in the speech. Clips cut to 3 s after marking were all read (docs/watermark_audio.md).
MIN_MARKED_SPEECH_S = 3.0


def watermark(request: Any, artefact: Artefact) -> Outcome:
    """Write the marked, labelled, captioned clip as the file `encoded`."""
    from byline.audit.base import keyring
    from byline.generation import brands
    from byline.generation.compose import compose
    from byline.generation.encode import write_mp4
    from byline.provenance.marks import markers

    options, made = request.options, artefact.produced["engine"]
    title = artefact.produced["normalise"]["title"]
    size = options.get("width", WIDTH), options.get("height", HEIGHT)
    fps = options.get("fps", FPS)
    samples, rate, cues, audio_marked = _sound(request, artefact)
    frames = compose(
        artefact.memory["shots"],
        made["fps"],
        brand=brands.load(request.brand),
        title=title,
        captions=cues,
        size=size,
        fps=fps,
        seconds=request.seconds,
    )
    marked = markers.load("video", [keyring.read("watermark")]).embed(
        _watched(frames, round(request.seconds * fps), artefact), mark_id(request)
    )
    language = options.get("language", "en-us")
    path = artefact.workdir / "encoded.mp4"
    encoded = write_mp4(path, marked, fps, samples, rate, cues, language, title=title)
    spoken = artefact.memory["speech"] is not None
    return Outcome(
        Verdict.TRANSFORM,
        evidence={
            "picture": "marked",
            "speech": "marked" if audio_marked else "too short for a mark of its own" if spoken else "none",
            "frames": encoded.frames,
            "size": f"{encoded.width}x{encoded.height}",
            "bytes": encoded.bytes,
            "captions": len(cues),
        },
        produces={"audio_marked": audio_marked, "seconds": encoded.seconds, "fps": fps},
        files={"encoded": path},
    )


def _sound(request: Any, artefact: Artefact) -> tuple[np.ndarray | None, int, list[Any], bool]:
    """(samples, rate, captions, whether the speech is marked) of the whole clip."""
    from byline.audit.base import keyring
    from byline.generation import captions, soundtrack
    from byline.provenance.marks import markers

    speech = artefact.memory["speech"]
    if speech is None:
        return None, soundtrack.RATE, [], False
    track = soundtrack.lay(speech, seconds=request.seconds)
    script = artefact.produced["normalise"]["voice_over"]
    laid = replace(speech, samples=track.samples, rate=track.rate, words=track.words)
    cues = captions.from_speech(laid, script)
    if speech.seconds < MIN_MARKED_SPEECH_S:
        return track.samples, track.rate, cues, False
    mark = markers.load("audio", [keyring.read("watermark")])
    samples = mark.embed(track.samples, track.rate, request.audio_id)
    found = mark.detect(samples, track.rate)
    if found is not None and found.payload == request.audio_id:
        return samples, track.rate, cues, True
    return track.samples, track.rate, cues, False


def _watched(frames: Iterable[np.ndarray], total: int, artefact: Artefact) -> Iterator[np.ndarray]:
    """The frames as they are, with progress and a look for a cancellation at each."""
    for number, frame in enumerate(frames, start=1):
        artefact.check_cancelled()
        yield frame
        artefact.progress(min(number / total, 1.0), f"frame {number} of {total}")
