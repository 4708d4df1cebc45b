"""Threat: the file is re-encoded and stripped on its way, or edited lightly. The picture mark stays."""

import io
from collections.abc import Callable
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from byline.provenance.ids import ForgedMark, new_mark_id, open_mark_id
from byline.provenance.marks.video import VideoMark

KEY, ID_KEY = bytes(range(32)), bytes(range(50, 82))
SERIAL = 20_261_121
Clip = list[np.ndarray]


def cartoon(count: int = 36, height: int = 720, width: int = 1280) -> Clip:
    """What our demo delivers: flat grounds, moving shapes, captions and a label."""
    clip = []
    for n in range(count):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = (120, 180, 225)
        frame[430:] = (90, 140, 70)
        cv2.circle(frame, (260 + 10 * n, 360), 100, (210, 70, 50), -1, cv2.LINE_AA)
        cv2.rectangle(frame, (770, 220), (920, 450), (150, 110, 80), -1)
        cv2.ellipse(frame, (1090, 140), (190, 44), 0, 0, 360, (240, 240, 240), -1, cv2.LINE_AA)
        frame[620:] = (20, 24, 40)
        text = (cv2.FONT_HERSHEY_DUPLEX, 1.2, (255, 255, 255), 2, cv2.LINE_AA)
        cv2.putText(frame, "A red balloon over the harbour", (60, 680), *text)
        cv2.putText(frame, "AI-generated", (1000, 60), *text)
        clip.append(frame)
    return clip


def recode(clip: Clip, crf: int, fps: int = 24) -> Clip:
    """Through H.264 (x264 veryfast) in a fresh MP4: no metadata survives."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width = (side // 2 * 2 for side in clip[0].shape[:2])
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        for frame in clip:
            even = np.ascontiguousarray(frame[: stream.height, : stream.width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as back:
        return [frame.to_ndarray(format="rgb24") for frame in back.decode(video=0)]


def crop10(clip: Clip) -> Clip:
    height, width = clip[0].shape[:2]
    return [f[height // 20 : -height // 20, width // 20 : -width // 20] for f in clip]


def resize(clip: Clip, factor: float) -> Clip:
    return [cv2.resize(f, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) for f in clip]


def turn(clip: Clip, degrees: float) -> Clip:
    height, width = clip[0].shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return [cv2.warpAffine(f, matrix, (width, height), flags=cv2.INTER_CUBIC) for f in clip]


def squeeze(clip: Clip) -> Clip:
    return [cv2.resize(f, (960, 720), interpolation=cv2.INTER_AREA) for f in clip]


def letterbox(clip: Clip) -> Clip:
    small = [cv2.resize(f, (960, 540), interpolation=cv2.INTER_AREA) for f in clip]
    return [cv2.copyMakeBorder(f, 90, 90, 0, 0, cv2.BORDER_CONSTANT) for f in small]


def inset(clip: Clip) -> Clip:
    """Half size over a foreign ground."""
    coarse = np.random.default_rng(2).integers(0, 256, (36, 64, 3), dtype=np.uint8)
    ground = cv2.resize(coarse, (1280, 720), interpolation=cv2.INTER_CUBIC)
    canvases = []
    for number, frame in enumerate(clip):
        canvas = np.roll(ground, number, 1)
        canvas[330:690, 600:1240] = cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA)
        canvases.append(canvas)
    return canvases


def tilt(clip: Clip) -> Clip:
    """Seen from the side: two corners move inwards by 4 %."""
    height, width = clip[0].shape[:2]
    here = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    there = np.float32(
        [[0.04 * width, 0.04 * height], [width, 0], [0.96 * width, 0.96 * height], [0, height]]
    )
    matrix = cv2.getPerspectiveTransform(here, there)
    return [cv2.warpPerspective(f, matrix, (width, height)) for f in clip]


ATTACKS: dict[str, Callable[[Clip], Clip]] = {
    "crf 28": lambda clip: recode(clip, 28),
    "crf 33": lambda clip: recode(clip, 33),
    "half size": lambda clip: recode(resize(clip, 0.5), 28),
    "crop 10 %": lambda clip: recode(crop10(clip), 28),
    "mirrored": lambda clip: recode([f[:, ::-1] for f in clip], 28),
    "mirrored and cropped": lambda clip: recode(crop10([f[:, ::-1] for f in clip]), 28),
    "30 to 24 frames": lambda clip: recode([f for n, f in enumerate(clip) if n % 5], 28),
    "last half second": lambda clip: recode(clip[-12:], 28),
    "turned by 3 degrees": lambda clip: recode(turn(clip, 3), 23),
    "squeezed to 4:3": lambda clip: recode(squeeze(clip), 28),
    "letterbox": lambda clip: recode(letterbox(clip), 28),
    "inset at half size": lambda clip: recode(inset(clip), 23),
    "perspective 4 %": lambda clip: recode(tilt(clip), 23),
    "brighter": lambda clip: recode([cv2.convertScaleAbs(f, alpha=0.8, beta=40) for f in clip], 23),
}


@pytest.fixture(scope="module")
def marked() -> Clip:
    return list(VideoMark([KEY]).embed(cartoon(), new_mark_id(SERIAL, ID_KEY)))


@pytest.mark.parametrize("name", ATTACKS)
def test_the_mark_survives(name: str, marked: Clip) -> None:
    found = VideoMark([KEY]).detect(ATTACKS[name](marked))
    assert found is not None
    assert open_mark_id(found.payload, [ID_KEY]) == SERIAL
    assert ("mirrored" in found.geometry) == ("mirrored" in name)


def test_the_mean_of_a_clip_gives_no_mark() -> None:
    """Averaging a clip of a still scene shows the scene, not a pattern to subtract."""
    still = [cartoon(1, 360, 640)[0]] * 120
    changes = [m.astype(np.float32) - s for m, s in zip(VideoMark([KEY]).embed(still, 7), still, strict=True)]
    assert np.mean(changes, axis=0).std() < 0.35 * changes[0].std()


def test_an_unmarked_clip_is_not_accepted_after_the_same_treatment() -> None:
    assert VideoMark([KEY]).detect(recode(crop10(cartoon(12)), 28)) is None


def test_a_mark_without_our_id_key_names_no_record() -> None:
    """Someone who got hold of the watermark key but not of the id key forges a mark."""
    forged = new_mark_id(SERIAL, bytes(32))
    found = VideoMark([KEY]).detect(list(VideoMark([KEY]).embed(cartoon(6), forged)))
    assert found is not None
    assert found.payload == forged
    with pytest.raises(ForgedMark):
        open_mark_id(found.payload, [ID_KEY])
