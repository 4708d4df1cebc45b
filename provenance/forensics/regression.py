"""Logistic regression, Platt scaling, AUC and a domain gate in NumPy and SciPy, small and exact.

The runtime must not need scikit-learn (it is in the `train` extra), and four functions are all that
a calibration uses. Classes are weighted alike, so a logit is a log-likelihood ratio and not a
statement about how many fakes the training folder held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Array = NDArray[np.float64]
RIDGE = 0.05  # relative to the mean loss, on standardised features


@dataclass(frozen=True)
class Linear:
    """A fitted model: logit(x) = ((x - mean) / scale) @ weights + bias."""

    mean: Array
    scale: Array
    weights: Array
    bias: float

    def standardise(self, rows: Array) -> Array:
        return np.asarray((rows - self.mean) / self.scale, np.float64)

    def logits(self, rows: Array) -> Array:
        return np.asarray(self.standardise(rows) @ self.weights + self.bias, np.float64)


def _balance(fake: NDArray[np.bool_]) -> Array:
    share = fake.mean()
    return np.where(fake, 0.5 / share, 0.5 / (1 - share)) / len(fake)


def fit(rows: Array, fake: NDArray[np.bool_]) -> Linear:
    """Ridge logistic regression of (n, d) rows on (n,) booleans, both classes weighing one half."""
    mean, scale = rows.mean(0), rows.std(0)
    scale = np.where(scale < 1e-9, 1.0, scale)
    x = (rows - mean) / scale
    weight, sign = _balance(fake), np.where(fake, 1.0, -1.0)

    def loss(parameters: Array) -> tuple[float, Array]:
        w, b = parameters[:-1], parameters[-1]
        margin = sign * (x @ w + b)
        pull = -weight * sign * special.expit(-margin)
        value = float(weight @ np.logaddexp(0, -margin) + RIDGE / 2 * (w @ w))
        return value, np.append(x.T @ pull + RIDGE * w, pull.sum())

    found = optimize.minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B")
    return Linear(mean, scale, found.x[:-1], float(found.x[-1]))


def platt(logits: Array, fake: NDArray[np.bool_]) -> tuple[float, float]:
    """(a, b) of sigmoid(a * logit + b) with Platt's softened targets; a is never negative."""
    positives, negatives = int(fake.sum()), int((~fake).sum())
    target = np.where(fake, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weight = _balance(fake)

    def loss(parameters: Array) -> tuple[float, Array]:
        z = parameters[0] * logits + parameters[1]
        value = float(weight @ (np.logaddexp(0, z) - target * z))
        slope = weight * (special.expit(z) - target)
        return value, np.array([slope @ logits, slope.sum()])

    found = optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[(0, None), (None, None)])
    return float(found.x[0]), float(found.x[1])


def auc(scores: Array, fake: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the share of (fake, real) pairs that are in the right order."""
    ranks = stats.rankdata(scores)
    positives, negatives = int(fake.sum()), int((~fake).sum())
    return float((ranks[fake].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_interval(
    scores: Array, fake: NDArray[np.bool_], groups: NDArray[np.int64], *, rounds: int = 500
) -> tuple[float, float, str]:
    """95 % bootstrap interval of the AUC and what was drawn: whole groups where each class has five."""
    rng = np.random.default_rng(0)
    by_group = all(len(np.unique(groups[fake == side])) >= 5 for side in (True, False))
    found = []
    for _ in range(rounds):
        drawn = []
        for side in (True, False):
            members = np.flatnonzero(fake == side)
            if by_group:
                names = np.unique(groups[members])
                picks = rng.choice(names, len(names))
                drawn.append(np.concatenate([members[groups[members] == name] for name in picks]))
            else:
                drawn.append(rng.choice(members, len(members)))
        rows = np.concatenate(drawn)
        found.append(auc(scores[rows], fake[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high), "groups" if by_group else "files"


def precision(rows: Array) -> Array:
    """Inverse covariance (d, d) of standardised rows, shrunk towards independence as d nears n."""
    count, width = rows.shape
    shrink = width / (width + count)
    covariance = np.atleast_2d(np.cov(rows, rowvar=False, bias=True))
    return np.asarray(np.linalg.inv((1 - shrink) * covariance + shrink * np.eye(width)), np.float64)


def distances(rows: Array, inverse: Array) -> Array:
    """Mahalanobis distance of standardised rows from the origin, divided by the root of their width."""
    return np.asarray(
        np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", rows, inverse, rows), 0) / rows.shape[1]), np.float64
    )
