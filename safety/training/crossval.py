"""How well do heads of our form do on the OpenAI moderation samples? Nested, and without them.

The encoder never saw these samples (fine_tune.py). `nested`: heads fitted on the samples alone; five
outer folds by a hash of the text, landmarks and heads see the other four only, and the one free
choice, the penalty of the kernel part, is made by three folds inside these. `transfer`: heads
fitted on everything but the samples. Neither fits on a reserved text of another source. A sample's
score is the highest over its windows, as at run time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from byline.safety.training import fitting
from byline.safety.training.datasets import Row
from byline.safety.training.fitting import Features

OUTER, INNER = 5, 3
PENALTIES = (0.3, 1.0)


@dataclass(frozen=True)
class Scores:
    """`labels` (N,) 0 or 1 and the scores of the same samples by both ways of fitting."""

    labels: np.ndarray
    nested: np.ndarray
    transfer: np.ndarray | None  # None where the rows are samples only


def run(rows: Sequence[Row], features: Features, name: str) -> Scores:
    """Scores of every OpenAI sample whose label for the category (or "any") is known.

    One row per window (fitting.extract); windows of one text have the same text.
    """
    y = fitting.targets(rows, name)
    sample = np.array([r.source == "openai_moderation" for r in rows]) & (y >= 0)
    pool = np.array([r.source != "openai_moderation" and not r.reserved for r in rows]) & (y >= 0)
    bits = np.array([hashlib.sha256(r.text.encode()).digest()[3] for r in rows])
    _, text = np.unique([r.text for r in rows], return_inverse=True)
    outer, inner = bits % OUTER, bits // OUTER % INNER
    weights = np.array([r.weight for r in rows])
    nested = np.zeros(len(rows))
    for fold in range(OUTER):
        inside, left = sample & (outer != fold), sample & (outer == fold)
        best = max(PENALTIES, key=lambda p: _inside(features, y, weights, text, inside, inner, p))
        nested[left] = _scores(features, y, weights, inside, left, best)
    transfer = _scores(features, y, weights, pool, sample, fitting.NEAR_PENALTY) if pool.any() else None
    labels, best_nested = _by_text(y[sample], nested[sample], text[sample])
    return Scores(
        labels, best_nested, None if transfer is None else _by_text(y[sample], transfer, text[sample])[1]
    )


def _by_text(y: np.ndarray, scores: np.ndarray, text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label and highest score of every text."""
    names, at = np.unique(text, return_inverse=True)
    highest, labels = np.full(len(names), -np.inf), np.zeros(len(names), int)
    np.maximum.at(highest, at, scores)
    labels[at] = y
    return labels, highest


def _scores(
    features: Features,
    y: np.ndarray,
    weights: np.ndarray,
    fit_on: np.ndarray,
    left: np.ndarray,
    penalty: float,
) -> np.ndarray:
    part, odds = features[np.flatnonzero(fit_on)], weights[fit_on]
    space = fitting.basis(part.points, odds)
    heads = fitting.fit(space, space(part.points), part.grams, y[fit_on, None], odds, penalty)
    near = fitting.kernel(features.points[left], space.landmarks)
    out: np.ndarray = heads.logits(near, features.grams[np.flatnonzero(left)])[:, 0]
    return out


def _inside(
    features: Features,
    y: np.ndarray,
    weights: np.ndarray,
    text: np.ndarray,
    inside: np.ndarray,
    folds: np.ndarray,
    penalty: float,
) -> float:
    from sklearn.metrics import average_precision_score

    got = np.zeros(len(y))
    for fold in range(INNER):
        left = inside & (folds == fold)
        got[left] = _scores(features, y, weights, inside & ~left, left, penalty)
    return float(average_precision_score(*_by_text(y[inside], got[inside], text[inside])))
