"""How far a distribution is from its target, with bootstrap intervals. Pure numbers, no rows.

Formulas: normalised entropy H(p)/log k; KL(p||q) in nats; max-min ratio of p/q, the share that the
best served group has of its target against the worst served (1 is parity; the four-fifths rule of
29 CFR 1607.4 D would ask for at most 1.25); gap max |p - q| ("parity gap"). Intervals: percentile
bootstrap over people (Efron), 2,000 resamples with a fixed seed, so a report can be made again. With few
people per group the resamples are less even than the people, so the interval is widened to hold the figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
_SEED = 20260101
_MIN_SHARE = 1e-12


@dataclass(frozen=True)
class Measure:
    """A figure and its 95 % interval. `low` and `high` are None below two observations."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Balance:
    """One attribute (or the joint table) of `n` people. `shares` and `target` by value, summing to 1.

    `ratio` is None while a group has nobody: the ratio is then unbounded, and is not made to look small.
    """

    n: int
    counts: Mapping[str, int]
    shares: Mapping[str, float]
    target: Mapping[str, float]
    entropy: Measure
    kl: Measure
    ratio: Measure
    gap: Measure

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def balance(counts: Mapping[str, int], target: Mapping[str, float], *, sample: bool = True) -> Balance:
    """Compare counts by value with target shares. Values outside the target are a ValueError. `sample`
    False is for a full count, such as a ledger: it has no sampling error and gets no interval."""
    if unknown := set(counts) - set(target):
        raise ValueError(f"values outside the target: {sorted(unknown)}")
    names = list(target)
    wanted = np.array([target[name] for name in names], np.float64)
    wanted = wanted / wanted.sum()
    seen = np.array([counts.get(name, 0) for name in names], np.int64)
    n = int(seen.sum())
    if n == 0:
        nothing = Measure(None, None, None)
        return Balance(0, dict(counts), {}, dict(target), nothing, nothing, nothing, nothing)
    drawn = np.random.default_rng(_SEED).multinomial(n, seen / n, size=RESAMPLES) / n
    found = seen / n

    def measure(figure: Any) -> Measure:
        value = float(figure(found[None])[0])
        if n < 2 or not sample:
            return Measure(_finite(value), None, None)
        low, high = np.quantile(figure(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
        return Measure(_finite(value), _finite(min(float(low), value)), _finite(max(float(high), value)))

    return Balance(
        n=n,
        counts={name: int(count) for name, count in zip(names, seen, strict=True)},
        shares={name: float(share) for name, share in zip(names, found, strict=True)},
        target={name: float(share) for name, share in zip(names, wanted, strict=True)},
        entropy=measure(lambda p: _entropy(p)),
        kl=measure(lambda p: _kl(p, wanted)),
        ratio=measure(lambda p: _ratio(p, wanted)),
        gap=measure(lambda p: np.abs(p - wanted).max(1)),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    if p.shape[1] < 2:
        return np.ones(len(p))
    safe = np.maximum(p, _MIN_SHARE)
    return np.asarray(-(p * np.log(safe)).sum(1) / math.log(p.shape[1]) + 0.0)


def _kl(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum((p * np.log(np.maximum(p, _MIN_SHARE) / q)).sum(1), 0.0))


def _ratio(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    served = p / q
    with np.errstate(divide="ignore"):
        return np.asarray(served.max(1) / served.min(1))


@dataclass(frozen=True)
class Window:
    """One span of time: its label (such as "2026-11") and its balance."""

    label: str
    balance: Balance


@dataclass(frozen=True)
class Drift:
    """Balance over time. `moved` is the total variation between the last window and all before it and
    `p` the share of random re-orderings of the people that move as much: small means a real change."""

    windows: tuple[Window, ...]
    moved: float | None
    p: float | None


def drift(windows: Sequence[tuple[str, Mapping[str, int]]], target: Mapping[str, float]) -> Drift:
    """Compare counts of consecutive windows, oldest first."""
    made = tuple(Window(label, balance(counts, target)) for label, counts in windows)
    names = list(target)
    before = np.sum([[c.get(v, 0) for v in names] for _, c in windows[:-1]] or [[0] * len(names)], axis=0)
    last = np.array([windows[-1][1].get(v, 0) for v in names]) if windows else np.zeros(len(names))
    if not before.sum() or not last.sum():
        return Drift(made, None, None)

    def distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(0.5 * np.abs(a / a.sum(-1, keepdims=True) - b / b.sum(-1, keepdims=True)).sum(-1))

    pooled = before + last
    shuffled = np.random.default_rng(_SEED).multivariate_hypergeometric(
        pooled.astype(int), int(last.sum()), size=RESAMPLES
    )
    moved = float(distance(before, last))
    as_much = distance(pooled - shuffled, shuffled) >= moved - 1e-12
    return Drift(made, moved, float((as_much.sum() + 1) / (RESAMPLES + 1)))
