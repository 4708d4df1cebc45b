"""Fit heads of the form that byline.safety.heads reads.

Two logistic regressions per head, one on kernel values to landmarks (Nyström method: Williams and
Seeger, 2001), one on character n-grams; their logits are added, the second with weight NGRAM_SHARE.
Promises the same result for the same rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.safety import encoder, features
from byline.safety.heads import kernel, point
from byline.safety.training.datasets import Row

LANDMARKS = 800
NEAR_PENALTY = 0.3
GRAM_PENALTY = 1.0
NEAR_STEPS, GRAM_STEPS = 80, 30  # L-BFGS; more change the scores by less than the folds do
KERNEL_SCALE = 3.0
NGRAM_SHARE = 0.3
NGRAM_SCALE = 4.0
OPENAI_WEIGHT = 2.0  # times the row's own weight


@dataclass(frozen=True)
class Features:
    """`points` (N, 768) float32 and `grams` sparse (N, 65536) of N windows."""

    points: np.ndarray
    grams: Any

    def __getitem__(self, rows: np.ndarray) -> Features:
        return Features(self.points[rows], self.grams[rows])


@dataclass(frozen=True)
class Basis:
    """Landmarks and the map from kernel values to coordinates whose dot product is the kernel."""

    landmarks: np.ndarray
    whiten: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        out: np.ndarray = kernel(points, self.landmarks) @ self.whiten
        return out


@dataclass(frozen=True)
class Fitted:
    """`dense` (H, M) on kernel values, `sparse` (H, 65536) and `bias` (H,)."""

    dense: np.ndarray
    sparse: np.ndarray
    bias: np.ndarray

    def logits(self, near: np.ndarray, grams: Any) -> np.ndarray:
        """(N, H) of kernel values (N, M) and n-grams."""
        out: np.ndarray = near @ self.dense.T + grams @ self.sparse.T + self.bias
        return out


def extract(rows: Sequence[Row]) -> tuple[list[Row], Features]:
    """The features of every window, as at run time, and the row of each; the windows of a text share its
    weight."""
    from scipy.sparse import csr_matrix

    out: list[Row] = []
    windows: list[encoder.Window] = []
    for row, cut in zip(rows, _windows([r.text for r in rows]), strict=True):
        out += [dataclasses.replace(row, weight=row.weight / len(cut))] * len(cut)
        windows += cut
    grams = [features.ngrams(w.text) for w in windows]
    starts = np.cumsum([0] + [len(index) for index, _ in grams])
    sparse = csr_matrix(
        (np.concatenate([v for _, v in grams]), np.concatenate([i for i, _ in grams]), starts),
        shape=(len(windows), features.BUCKETS),
    )
    return out, Features(np.stack([point(w) for w in windows]).astype(np.float32), sparse)


def _windows(texts: Sequence[str]) -> list[list[encoder.Window]]:
    model = encoder.shared()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out: dict[int, list[encoder.Window]] = {}
    for start in range(0, len(order), 64):
        chunk = order[start : start + 64]
        out.update(zip(chunk, model.batch([texts[i] for i in chunk]), strict=True))
    return [out[i] for i in range(len(texts))]


def targets(rows: Sequence[Row], name: str) -> np.ndarray:
    """(N,) of 1, 0 or -1 (not known)."""
    if name == "any":
        return np.array([-1 if r.unsafe is None else r.unsafe for r in rows])
    return np.array([r.labels.get(name, -1) for r in rows])


def row_weights(rows: Sequence[Row]) -> np.ndarray:
    return np.array([r.weight * (OPENAI_WEIGHT if r.source == "openai_moderation" else 1) for r in rows])


def basis(points: np.ndarray, weights: np.ndarray, size: int = LANDMARKS) -> Basis:
    """Landmarks drawn from the points with their weights as odds."""
    rng = np.random.default_rng(5)
    chosen = rng.choice(len(points), min(size, len(points)), replace=False, p=weights / weights.sum())
    landmarks = points[chosen].astype(np.float16).astype(np.float32)  # as they are stored
    values, vectors = np.linalg.eigh(kernel(landmarks, landmarks).astype(np.float64))
    kept = values > 1e-4
    whiten = vectors[:, kept] / np.sqrt(values[kept]) * KERNEL_SCALE
    return Basis(landmarks, whiten.astype(np.float32))


def fit(
    space: Basis,
    coordinates: np.ndarray,
    grams: Any,
    labels: np.ndarray,
    weights: np.ndarray,
    penalty: float = NEAR_PENALTY,
) -> Fitted:
    """All heads at once from labels (N, H) in {1, 0, -1}; -1 is not known and counts for nothing."""
    near, near_bias = _logistic(coordinates, labels, weights, penalty, NEAR_STEPS)
    spelled, spelled_bias = _logistic(grams * NGRAM_SCALE, labels, weights, GRAM_PENALTY, GRAM_STEPS)
    return Fitted(
        (space.whiten @ near).T.astype(np.float32),
        (spelled.T * (NGRAM_SCALE * NGRAM_SHARE)).astype(np.float32),
        (near_bias + NGRAM_SHARE * spelled_bias).astype(np.float32),
    )


def _logistic(
    x: Any, labels: np.ndarray, weights: np.ndarray, penalty: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (D, H) and intercepts (H,) of penalised logistic regressions that share their rows."""
    from scipy.optimize import minimize

    known = (labels >= 0) * weights[:, None]
    positive, negative = (known * (labels == 1)).sum(0), (known * (labels == 0)).sum(0)
    # The rarer side counts more, by the root of the ratio.
    share = known * np.where(labels == 1, np.sqrt(negative / np.maximum(positive, 1e-9)), 1.0)
    share = share.astype(np.float32)
    signs = np.where(labels == 1, 1.0, -1.0).astype(np.float32)
    size, heads = x.shape[1], labels.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat[:-heads].reshape(size, heads).astype(np.float32)
        margin = signs * (x @ w + flat[-heads:].astype(np.float32))
        value = float(np.sum(share * np.logaddexp(0, -margin))) + 0.5 * penalty * float(np.sum(w**2))
        slope = -signs * share / (1 + np.exp(np.clip(margin, -30, 30)))
        gradient = x.T @ slope + penalty * w
        return value, np.concatenate([gradient.ravel(), slope.sum(0)]).astype(np.float64)

    start = np.zeros(size * heads + heads)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    return found[:-heads].reshape(size, heads), found[-heads:]
