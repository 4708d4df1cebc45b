"""The picture mark on clean frames: round trip, quality, determinism, and no accept without a mark."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from byline.provenance.marks.base import BadPayload, UnmarkableInput, VideoFinding
from byline.provenance.marks.patterns import BadMarkKey
from byline.provenance.marks.threshold import acceptance_threshold
from byline.provenance.marks.video import VideoMark, thresholds
from byline.provenance.marks.video_embed import HOLD, Turn
from byline.provenance.marks.video_search import LABEL, MAX_DECODINGS, Judge, KeyTiles

KEY, OTHER = bytes(range(32)), bytes(range(100, 132))
PAYLOAD = 0xC13A61675630F066
LUMA = np.float32([0.299, 0.587, 0.114])


def flat_clip(count: int = 8, height: int = 360, width: int = 640) -> list[np.ndarray]:
    """A cartoon: two flat grounds, a moving ball, a dark lower third."""
    clip = []
    for n in range(count):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = (96, 150, 200)
        frame[height * 3 // 5 :] = (70, 120, 60)
        cv2.circle(frame, (width // 5 + 8 * n, height // 2), height // 7, (200, 60, 50), -1, cv2.LINE_AA)
        frame[height * 6 // 7 :] = (24, 28, 44)
        clip.append(frame)
    return clip


def busy_clip(count: int = 8, height: int = 360, width: int = 640) -> list[np.ndarray]:
    """Moving 1/f texture with a photograph's contrast."""
    rng = np.random.default_rng(5)
    big = (height + 4 * count, width + 4 * count)
    radius = np.hypot(np.fft.fftfreq(big[0])[:, None], np.fft.rfftfreq(big[1])[None]) + 1e-3
    layers = [np.fft.irfft2(np.fft.rfft2(rng.normal(size=big)) / radius**1.2, big) for _ in range(3)]
    image = np.stack([110 + 45 * (layers[0] + 0.3 * layer) / layers[0].std() for layer in layers], axis=-1)
    image = np.clip(image, 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(image[3 * n : 3 * n + height, 2 * n : 2 * n + width]) for n in range(count)]


def psnr_luma(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    errors = [np.mean(((a.astype(np.float32) - b) @ LUMA) ** 2) for b, a in zip(before, after, strict=True)]
    return float(10 * np.log10(255**2 / np.mean(errors)))


@pytest.mark.parametrize(("make", "least_db"), [(flat_clip, 46.5), (busy_clip, 42.3)])
def test_round_trip_at_the_promised_quality(make, least_db: float) -> None:
    clip = make()
    mark = VideoMark([KEY])
    marked = list(mark.embed(iter(clip), PAYLOAD))
    assert mark.detect(marked) == VideoFinding(PAYLOAD, 0, "as embedded")
    assert least_db <= psnr_luma(clip, marked) <= least_db + 1.5


def test_same_input_same_output() -> None:
    clip = flat_clip(3)
    first, second = (list(VideoMark([KEY]).embed(iter(clip), PAYLOAD)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_embedding_streams_and_leaves_its_input_alone() -> None:
    clip = flat_clip(3)
    originals = [frame.copy() for frame in clip]
    taken = []

    def source() -> Iterator[np.ndarray]:
        for number, frame in enumerate(clip):
            taken.append(number)
            yield frame

    stream = VideoMark([KEY]).embed(source(), PAYLOAD)
    assert next(stream).shape == clip[0].shape
    assert taken == [0]
    list(stream)
    assert all(np.array_equal(a, b) for a, b in zip(originals, clip, strict=True))


def test_only_luma_moves() -> None:
    frame = flat_clip(1)[0]
    delta = next(VideoMark([KEY]).embed([frame], PAYLOAD)).astype(int) - frame
    assert np.abs(delta).max() >= 1
    assert np.array_equal(delta[..., 0], delta[..., 1])
    assert np.array_equal(delta[..., 0], delta[..., 2])


def test_the_smooth_side_of_an_edge_is_not_marked_harder() -> None:
    frame = np.full((360, 640, 3), 60, np.uint8)
    frame[:, 320:] = 200
    delta = next(VideoMark([KEY]).embed([frame], PAYLOAD)).astype(np.float32)[..., 0] - frame[..., 0]
    beside = np.sqrt(np.mean(delta[:, 296:316] ** 2))
    far = np.sqrt(np.mean(delta[:, 60:260] ** 2))
    assert beside < 1.15 * far


def test_unmarked_is_none() -> None:
    assert VideoMark([KEY, OTHER]).detect(busy_clip(4)) is None
    assert VideoMark([KEY]).detect([np.zeros((360, 640, 3), np.uint8)]) is None
    assert VideoMark([KEY]).detect([]) is None


def test_the_pattern_turns_and_its_mean_vanishes() -> None:
    still = [np.full((180, 320, 3), 110, np.uint8)] * 120  # two turns of a scene in which nothing moves
    changes = np.stack([f[..., 0].astype(np.float32) - 110 for f in VideoMark([KEY]).embed(still, PAYLOAD)])
    assert np.abs(changes).mean() > 0.5
    assert np.abs(changes.mean(0)).mean() < 0.35 * np.abs(changes).mean()
    assert np.corrcoef(changes[0].ravel(), changes[29].ravel())[0, 1] < 0.2


def test_two_ids_of_one_key_turn_differently() -> None:
    turns = [Turn(KEY, LABEL, payload).angles() for payload in (PAYLOAD, PAYLOAD ^ 1)]
    first, second = ([next(turn) for _ in range(48)] for turn in turns)
    assert abs(first[0] - second[0]) > 0.05
    assert first[0] == first[HOLD - 1] != first[HOLD]


def test_a_cut_is_marked_by_its_own_strength() -> None:
    flat, busy = flat_clip(1)[0], busy_clip(1)[0]
    after_cut = list(VideoMark([KEY]).embed([flat, busy], PAYLOAD))[1]
    alone = list(VideoMark([KEY]).embed([busy, busy], PAYLOAD))[1]
    assert np.array_equal(after_cut, alone)


def test_tensors_get_the_same_marks_and_stay_tensors() -> None:
    torch = pytest.importorskip("torch")
    clip = [flat_clip(1)[0], busy_clip(1)[0]]
    arrays = list(VideoMark([KEY]).embed(clip, PAYLOAD))
    tensors = list(VideoMark([KEY]).embed([torch.from_numpy(frame) for frame in clip], PAYLOAD))
    for array, tensor in zip(arrays, tensors, strict=True):
        assert tensor.dtype == torch.uint8
        difference = np.abs(array.astype(int) - tensor.numpy())
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.03
    with pytest.raises(UnmarkableInput):
        next(VideoMark([KEY]).embed([torch.zeros(360, 640, 3)], PAYLOAD))


def test_a_wrong_key_finds_nothing_and_each_active_key_is_named() -> None:
    marked = list(VideoMark([OTHER]).embed(flat_clip(), PAYLOAD))
    assert VideoMark([KEY]).detect(marked) is None
    assert VideoMark([KEY, OTHER]).detect(marked) == VideoFinding(PAYLOAD, 1, "as embedded")


def test_a_finding_tells_no_score() -> None:
    found = VideoMark([KEY]).detect(list(VideoMark([KEY]).embed(flat_clip(4), PAYLOAD)))
    assert found is not None
    assert set(vars(found)) == {"payload", "key_index", "geometry", "confidence"}
    assert found.confidence == "accepted under FP < 1e-09"


def test_the_threshold_counts_decodings_and_keys() -> None:
    blind, _ = thresholds(1, None)
    assert blind == pytest.approx(
        acceptance_threshold(payload_bits=64, hypotheses=MAX_DECODINGS, keys=1, false_accept=1e-9)
    )
    assert 11.8 < blind < 12.0
    assert thresholds(16, None)[0] > blind
    wide, listed = thresholds(1, [PAYLOAD])
    assert listed < thresholds(1, range(100))[1] < blind < wide  # the two tests share the budget


def test_no_more_decodings_than_the_threshold_allows() -> None:
    key = KeyTiles(KEY)
    judge = Judge([key], (PAYLOAD,), 0.0, 0.0)  # accepts everything as long as it decodes at all
    chips = np.random.default_rng(1).normal(size=2 * 36 * 36).astype(np.float32)
    answers = [judge.payload(0, chips, 0.0) for _ in range(MAX_DECODINGS + 1)]
    assert answers.index(None) == MAX_DECODINGS or all(a is None for a in answers)
    assert judge.payload(0, key.tiles(PAYLOAD).ravel(), 36.0) is None


def test_unusable_input_is_refused() -> None:
    with pytest.raises(UnmarkableInput):
        VideoMark([])
    with pytest.raises(BadMarkKey):
        VideoMark([b"short"])
    mark = VideoMark([KEY])
    for bad in (np.zeros((360, 640), np.uint8), np.zeros((360, 640, 3)), np.zeros((64, 640, 3), np.uint8)):
        with pytest.raises(UnmarkableInput):
            next(mark.embed([bad], PAYLOAD))
        with pytest.raises(UnmarkableInput):
            mark.detect([bad])
    with pytest.raises(UnmarkableInput):
        mark.detect([np.zeros((360, 640, 3), np.uint8), np.zeros((360, 480, 3), np.uint8)])
    with pytest.raises(BadPayload):
        next(mark.embed(flat_clip(1), 2**64))


def test_a_short_list_of_ids_is_all_that_counts() -> None:
    marked = list(VideoMark([KEY]).embed(flat_clip(4), PAYLOAD))
    mark = VideoMark([KEY])
    assert mark.detect(marked, candidates=[1, PAYLOAD, 2]) == VideoFinding(PAYLOAD, 0, "as embedded")
    assert mark.detect(marked, candidates=[1, PAYLOAD ^ 1]) is None
    assert mark.detect(marked, candidates=[]) is None
    assert mark.detect(busy_clip(4), candidates=[PAYLOAD]) is None
    with pytest.raises(BadPayload):
        mark.detect(marked, candidates=range(101))
    with pytest.raises(BadPayload):
        mark.detect(marked, candidates=[2**64])
