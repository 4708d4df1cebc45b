"""watermark: speech marked, frames composed, marked and encoded in one pass over the frames.

Frame by frame: composed (title, captions, label) -> marked -> encoded. There is never an unmarked
file on disk, and never a list of full-size frames in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
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

    writer = markers.load("video", [keyring.read("watermark")])
    options, made = request.options, artefact.produced["engine"]
    brand, title = brands.load(request.brand), artefact.produced["normalise"]["title"]
    size = options.get("width", WIDTH), options.get("height", HEIGHT)
    fps = options.get("fps", FPS)
    samples, rate, cues, speech_mark = _sound(request, artefact)
    frames = compose(
        artefact.memory["shots"],
        made["fps"],
        brand=brand,
        title=title,
        captions=cues,
        size=size,
        fps=fps,
        seconds=request.seconds,
    )
    marked = writer.embed(_watched(frames, round(request.seconds * fps), artefact), mark_id(request))
    bindings = [_binding(writer, mark_id(request), "picture")]
    if speech_mark is not None:
        bindings.append(_binding(speech_mark, request.audio_id, "speech"))
    language = options.get("language", "en-us")
    path = artefact.workdir / "encoded.mp4"
    encoded = write_mp4(path, marked, fps, samples, rate, cues, language, title=title)
    spoken = artefact.memory["speech"] is not None
    return Outcome(
        Verdict.TRANSFORM,
        evidence={
            "picture": "marked",
            "speech": "marked" if speech_mark else "too short for a mark of its own" if spoken else "none",
            "marks": [binding["alg"] for binding in bindings],
            "frames": encoded.frames,
            "size": f"{encoded.width}x{encoded.height}",
            "bytes": encoded.bytes,
            "captions": len(cues),
        },
        produces={
            "audio_marked": speech_mark is not None,
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


def _sound(request: Any, artefact: Artefact) -> tuple[np.ndarray | None, int, list[Any], Any]:
    """(samples, rate, captions, the marker that marked the speech or None) of the whole clip."""
    from byline.audit.base import keyring
    from byline.generation import captions, soundtrack
    from byline.provenance.marks import markers

    speech = artefact.memory["speech"]
    if speech is None:
        return None, soundtrack.RATE, [], None
    track = soundtrack.lay(speech, seconds=request.seconds)
    script = artefact.produced["normalise"]["voice_over"]
    laid = replace(speech, samples=track.samples, rate=track.rate, words=track.words)
    cues = captions.from_speech(laid, script)
    if speech.seconds < MIN_MARKED_SPEECH_S:
        return track.samples, track.rate, cues, None
    mark = markers.load("audio", [keyring.read("watermark")])
    samples = mark.embed(track.samples, track.rate, request.audio_id)
    found = mark.detect(samples, track.rate)
    if found is not None and found.payload == request.audio_id:
        return samples, track.rate, cues, mark
    return track.samples, track.rate, cues, None


def _watched(frames: Iterable[np.ndarray], total: int, artefact: Artefact) -> Iterator[np.ndarray]:
    """The frames as they are, with progress and a look for a cancellation at each."""
    for number, frame in enumerate(frames, start=1):
        artefact.check_cancelled()
        yield frame
        artefact.progress(min(number / total, 1.0), f"frame {number} of {total}")
