"""Fingerprints: a re-encoded, resized or shortened copy is similar, another clip is not."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.provenance import fingerprints
from byline.provenance.fingerprints import (
    CROPS,
    FrameHash,
    Similarity,
    bits_between,
    compare,
    fingerprint,
    fingerprint_to_store,
    mirrored,
    plain,
)

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


# ---------------------------------------------------------------- variants


def cut(clip: list[np.ndarray], keep: float, across: float, down: float) -> list[np.ndarray]:
    height, width = clip[0].shape[:2]
    rows, columns = round(height * keep), round(width * keep)
    top, left = round((height - rows) * down), round((width - columns) * across)
    return [f[top : top + rows, left : left + columns] for f in clip]


def flipped(clip: list[np.ndarray]) -> list[np.ndarray]:
    return [np.ascontiguousarray(f[:, ::-1]) for f in clip]


def test_what_is_stored_begins_with_what_is_asked() -> None:
    stored = fingerprint_to_store(scene(1), FPS)
    assert plain(stored) == fingerprint(scene(1), FPS) == stored[:16]
    assert {item.variant for item in stored} == {"as stored", "mirrored", *CROPS}
    per_crop = [sum(item.variant == name for item in stored) for name in CROPS]
    assert min(per_crop) >= 6
    assert max(per_crop) <= 8


@pytest.mark.parametrize("name", CROPS)
def test_every_crop_is_found_under_its_name(name: str) -> None:
    stored = fingerprint_to_store(scene(1), FPS)
    copy = [jpeg(f) for f in cut(scene(1)[2:], *CROPS[name])]
    found = compare(fingerprint(copy, FPS), stored)
    assert found.similar
    assert found.variant == name
    assert not compare(fingerprint(copy, FPS), fingerprint_to_store(scene(2), FPS)).similar


def test_mirrored_copies_are_found_and_called_so() -> None:
    stored = fingerprint_to_store(scene(1), FPS)
    copy = fingerprint([jpeg(f) for f in flipped(scene(1))], FPS)
    assert compare(copy, stored).variant == "mirrored"
    assert compare(copy, stored).similar
    assert compare(copy, plain(stored)).variant == "mirrored"  # an old record without variants
    crop = fingerprint(cut(flipped(scene(1)), 0.75, 0.5, 0.5), FPS)
    assert compare(crop, stored).similar
    assert compare(crop, stored).variant == "mirrored, crop 75 %"


def test_the_mirror_image_of_a_hash_is_nearly_the_hash_of_the_mirror_image() -> None:
    for seed in range(6):
        straight, turned = fingerprint(scene(seed), FPS), fingerprint(flipped(scene(seed)), FPS)
        for one, other in zip(straight, turned, strict=True):
            assert bits_between(mirrored(one), other) <= 24
            assert mirrored(mirrored(one)) == one


def test_bars_are_no_part_of_the_picture() -> None:
    stored = fingerprint_to_store(scene(1), FPS)
    boxed = [cv2.copyMakeBorder(f, 30, 30, 0, 0, cv2.BORDER_CONSTANT, value=(2, 2, 2)) for f in scene(1)]
    pillars = [cv2.copyMakeBorder(f, 0, 0, 50, 50, cv2.BORDER_CONSTANT) for f in scene(1)]
    for copy in (boxed, pillars):
        found = compare(fingerprint([jpeg(f) for f in copy], FPS), stored)
        assert found.similar
        assert found.mean_bits < 40
    # Dark at one end only: that is a picture.
    night = [cv2.copyMakeBorder(f, 60, 0, 0, 0, cv2.BORDER_CONSTANT) for f in scene(1)]
    assert not compare(fingerprint(night, FPS), stored).similar


def test_a_still_of_a_clip_is_found_under_the_stricter_limit() -> None:
    stored = fingerprint_to_store(scene(1), FPS)
    found = compare(fingerprint([jpeg(scene(1)[40])], 1.0), stored)
    assert (found.similar, found.matched, found.of) == (True, 1, 1)
    for seed in range(2, 10):
        assert not compare(fingerprint([scene(seed)[40]], 1.0), stored).similar

    def still(bits: int) -> list[FrameHash]:
        return [FrameHash(0.0, f"{(1 << bits) - 1:064x}", "0" * 16)]

    assert compare(still(fingerprints.STILL_BITS), still(0)).similar
    assert not compare(still(fingerprints.STILL_BITS + 1), still(0)).similar


def test_segments_tell_which_seconds_agree() -> None:
    """Two seconds of ours, two of something else, two of ours: a mark moved onto it does not cover it all."""
    ours = scene(1, 144)
    mixed = ours[:48] + scene(7, 48) + ours[96:]
    found = compare(fingerprint(mixed, FPS), fingerprint_to_store(ours, FPS))
    assert found.similar
    assert found.matched == 16
    assert found.segments == ((0.0, 2.0), (4.0, 6.0))
    assert compare(fingerprint(ours, FPS), fingerprint(ours, FPS)).segments == ((0.0, 6.0),)


def test_an_excerpt_inside_a_long_film_is_found_at_a_lower_rate() -> None:
    """The verifier looks at long files once a second or so; the record has four hashes a second."""
    film = scene(8, 240) + scene(1, 144) + scene(9, 240)
    found = compare(fingerprint(film[::24], 1.0), fingerprint_to_store(scene(1, 144), FPS))
    assert found.similar
    assert found.matched == 6
    assert not compare(fingerprint(film[::24], 1.0), fingerprint_to_store(scene(2, 144), FPS)).similar
