"""Fingerprints: a re-encoded, resized or shortened copy is similar, another clip is not."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.provenance.fingerprints import FrameHash, Similarity, compare, fingerprint

FPS = 24.0


def scene(seed: int, count: int = 96, height: int = 180, width: int = 320) -> list[np.ndarray]:
    """A cartoon of our own kind: grounds, moving shapes, the same dark lower third every time."""
    rng = np.random.default_rng(seed)
    colours = [tuple(int(c) for c in rng.integers(30, 230, 3)) for _ in range(7)]
    spots = rng.uniform(0.1, 0.8, (5, 4))
    clip = []
    for n in range(count):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = colours[0]
        frame[int(height * spots[0, 0]) :] = colours[1]
        for (x, y, size, speed), colour in zip(spots, colours[2:], strict=True):
            centre = (int(width * (x + 0.3 * (speed - 0.4) * n / count)), int(height * y))
            cv2.circle(frame, centre, int(height * 0.25 * size) + 4, colour, -1, cv2.LINE_AA)
        frame[int(height * 0.86) :] = (20, 24, 40)
        clip.append(frame)
    return clip


def jpeg(frame: np.ndarray, quality: int = 30) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def test_four_hashes_a_second_with_their_times() -> None:
    hashes = fingerprint(iter(scene(1)), FPS)
    assert [h.t for h in hashes] == [0.125 + n / 4 for n in range(16)]
    assert {len(h.phash256) for h in hashes} == {64}
    assert {len(h.phash64) for h in hashes} == {16}
    assert fingerprint(scene(1), FPS) == hashes


@pytest.mark.parametrize("count", [1, 2, 3, 5, 14])
def test_short_clips_still_give_three_hashes_where_they_can(count: int) -> None:
    assert len(fingerprint(scene(1, count), FPS)) == min(count, 3)


def test_blank_frames_are_left_out() -> None:
    blank = [np.zeros((180, 320, 3), np.uint8)] * 48
    assert fingerprint(blank, FPS) == []
    mixed = fingerprint(blank + scene(1, 48), FPS)
    assert min(h.t for h in mixed) >= 2.0
    assert not compare(fingerprint(blank, FPS), mixed).similar


def test_a_copy_is_similar_to_itself() -> None:
    hashes = fingerprint(scene(1), FPS)
    assert compare(hashes, hashes) == Similarity(16, 16, 0.0, True, "as stored", ((0.0, 4.0),))


@pytest.mark.parametrize(
    "change",
    [
        lambda clip: [jpeg(f) for f in clip],
        lambda clip: [cv2.resize(f, (160, 90), interpolation=cv2.INTER_AREA) for f in clip],
        lambda clip: [cv2.convertScaleAbs(f, alpha=0.8, beta=20) for f in clip],
        lambda clip: clip[27:],
        lambda clip: clip[:40],
    ],
    ids=["low quality", "half size", "paler", "first 1.1 s gone", "end gone"],
)
def test_an_edited_copy_is_similar(change) -> None:
    stored = fingerprint(scene(1), FPS)
    found = compare(fingerprint(change(scene(1)), FPS), stored)
    assert found.similar
    assert found.mean_bits < 40


def test_other_clips_of_the_same_house_are_not_similar() -> None:
    hashes = [fingerprint(scene(seed), FPS) for seed in range(12)]
    for a in range(12):
        for b in range(a):
            assert not compare(hashes[a], hashes[b]).similar


def test_overlays_shared_by_one_house_do_not_make_clips_similar() -> None:
    """The mark of one clip copied onto another of the same brand must not look confirmed."""

    def branded(seed: int) -> list[np.ndarray]:
        clip = scene(seed)
        for frame in clip:
            frame[125:150, 16:140] = (20, 24, 40)
            text = (cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
            cv2.putText(frame, "Morning news", (20, 142), *text)
            cv2.putText(frame, "AI-generated", (210, 20), *text)
            cv2.putText(frame, "BYLINE", (14, 20), *text)
        return clip

    hashes = [fingerprint(branded(seed), FPS) for seed in range(8)]
    assert not any(compare(a, b).similar for n, a in enumerate(hashes) for b in hashes[:n])
    assert compare(fingerprint(scene(3), FPS), hashes[3]).similar  # overlays added or removed: the same


def test_time_order_counts() -> None:
    forward = fingerprint(scene(1, 48) + scene(2, 48) + scene(3, 48) + scene(4, 48), FPS)
    backward = fingerprint(scene(4, 48) + scene(3, 48) + scene(2, 48) + scene(1, 48), FPS)
    assert compare(forward, forward).matched == 32
    assert compare(backward, forward).matched < 16
    assert not compare(backward, forward).similar


def test_a_shared_title_is_not_a_shared_clip() -> None:
    title = scene(9, 48)
    one = fingerprint(title + scene(1, 144), FPS)
    two = fingerprint(title + scene(2, 144), FPS)
    found = compare(one, two)
    assert 6 <= found.matched < 16
    assert not found.similar


def test_nothing_is_similar_to_nothing() -> None:
    assert compare([], []) == Similarity(0, 0, 256.0, False)
    assert not compare(fingerprint(scene(1), FPS), []).similar
    with pytest.raises(ValueError, match="fps"):
        fingerprint([], 0)


@given(st.lists(st.integers(0, 2**256 - 1), max_size=6), st.lists(st.integers(0, 2**256 - 1), max_size=6))
def test_matches_and_bits_are_bounded_and_symmetric(a: list[int], b: list[int]) -> None:
    left, right = ([FrameHash(n, f"{h:064x}", "0" * 16) for n, h in enumerate(side)] for side in (a, b))
    forth, back = compare(left, right), compare(right, left)
    assert (forth.matched, forth.mean_bits, forth.similar) == (back.matched, back.mean_bits, back.similar)
    assert forth.matched <= min(len(a), len(b))
    assert forth.mean_bits <= 64 or forth.matched == 0


def test_the_limit_is_64_bits() -> None:
    def three(bits: int) -> list[FrameHash]:
        return [FrameHash(n, f"{(1 << bits) - 1:064x}", "0" * 16) for n in range(3)]

    assert compare(three(0), three(64)).similar
    assert not compare(three(0), three(65)).similar
