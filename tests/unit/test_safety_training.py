"""What the filter learned from and what it is measured on have nothing in common."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from bench import safety_recall
from byline.safety.training import datasets, fitting, hashes
from byline.safety.training.datasets import Row
from byline.safety.training.train_heads import BENIGN_RATE, MIN_SPREAD, calibrate

DATA = os.environ.get("BYLINE_SAFETY_DATA")


def test_nothing_measured_was_fitted() -> None:
    fitted, reserved = hashes.stored("fitted"), hashes.stored("reserved")
    assert len(fitted) > 9000
    assert len(reserved) > 4000
    assert fitted.isdisjoint(reserved)
    probes = hashes.digests(p.text for p in (*safety_recall.minors(), *safety_recall.intimate()))
    assert probes.isdisjoint(fitted)
    # One word may well be a whole prompt ("a bench"); an expression of several must not be.
    expressions = hashes.digests(t for t in hashes.terms() if t.count(" ") > 1)
    assert expressions <= hashes.stored("terms")
    assert expressions.isdisjoint(reserved | probes)


def test_the_shipped_hashes_are_those_of_our_own_texts() -> None:
    """A line added to the texts without new hashes, or moved over the split, is found."""
    parts: dict[bool, set[bytes]] = {True: set(), False: set()}
    seen: set[bytes] = set()
    for row in datasets.own():
        if (key := hashes.digest(row.text)) not in seen:
            seen.add(key)
            parts[row.reserved].add(key)
    assert parts[True] <= hashes.stored("reserved")
    assert parts[False] <= hashes.stored("fitted")
    assert hashes.stored("terms") == hashes.digests(hashes.terms())


def test_an_overlap_is_found_through_spelling() -> None:
    assert hashes.digest("How to make  a CAKE!") == hashes.digest("how-to make a cake")
    assert hashes.digest("how to make a cake") != hashes.digest("how to make a lake")
    key = hashes.digest("ｈow to make a cake")
    assert key == hashlib.sha256(b"howtomakeacake").digest()


@pytest.mark.skipif(DATA is None, reason="BYLINE_SAFETY_DATA names no folder with the data sets")
def test_the_shipped_hashes_are_those_of_the_data() -> None:
    rows = datasets.load(Path(str(DATA)))
    assert hashes.digests(r.text for r in rows if not r.reserved) == hashes.stored("fitted")
    reserved = hashes.digests(r.text for r in rows if r.reserved)
    assert reserved == hashes.stored("reserved")
    never = [*datasets.multijail(Path(str(DATA)), "en"), *datasets.davidson_unread(Path(str(DATA)))]
    overlap = hashes.digests(never) & hashes.stored("fitted")
    assert len(overlap) <= 0.002 * len(never), "the same tweet under two numbers"


def test_a_topic_is_reserved_as_a_whole_and_about_a_quarter_is() -> None:
    topics: dict[str, set[bool]] = {}
    for row in datasets.own():
        topics.setdefault(row.group, set()).add(row.reserved)
    assert all(len(sides) == 1 for sides in topics.values())
    share = np.mean([sides == {True} for sides in topics.values()])
    assert 0.15 < share < 0.35


def test_every_group_stands_on_both_sides() -> None:
    """A group named only in hateful lines would itself become a sign of hate."""
    counts = {group: [0, 0] for group in datasets.SLOTS["{people}"]}
    for row in datasets.own():
        for group, sides in counts.items():
            if group.lower() in row.text.lower().split() or f" {group.lower()} " in f" {row.text.lower()} ":
                sides[row.unsafe or 0] += 1
    assert all(min(sides) >= 5 for sides in counts.values()), counts


def test_calibration_holds_the_joint_rate() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 6))
    benign = np.arange(4000) < 3000
    known = np.where(rng.random((4000, 6)) < 0.5, 0, -1)
    sources = np.where(np.arange(4000) % 2 == 0, "one", "two")
    centre, spread = calibrate(logits, benign, known, sources)
    rate = np.mean(np.any(logits[benign] > centre, axis=1))
    assert 0.5 * BENIGN_RATE < rate <= BENIGN_RATE + 0.001
    hard = logits.copy()
    hard[~benign] += 5
    stricter, _ = calibrate(hard, benign, known, sources)
    assert (stricter > centre).all()
    assert (spread >= MIN_SPREAD).all()


def test_heads_learn_a_kernel_shape_that_no_line_separates() -> None:
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(1)
    points = rng.normal(size=(400, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    labels = (points[:, :1] * points[:, 1:2] > 0).astype(int)  # exclusive or
    space = fitting.basis(points, np.ones(400), size=100)
    empty = csr_matrix((400, fitting.features.BUCKETS))
    heads = fitting.fit(space, space(points), empty, labels, np.ones(400))
    logits = heads.logits(fitting.kernel(points, space.landmarks), empty)
    assert np.mean((logits > 0) == (labels == 1)) > 0.95


def test_a_row_moves_with_its_group_only() -> None:
    one, two = Row("a", "own", "topic"), Row("b", "own", "topic")
    assert one.reserved == two.reserved
