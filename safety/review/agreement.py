"""How far two people who judge the same case agree, beyond what chance would give. Pure.

Cohen's kappa (Cohen 1960, doi:10.1177/001316446002000104) for pairs of one first and one second rating;
Krippendorff's alpha for nominal data (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability") for
any number of raters per case. Both are None where chance alone already explains everything (one answer was
given throughout) or nothing was rated twice: no number is better than a flattering one.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Pair = tuple[Hashable, Hashable]


@dataclass(frozen=True)
class Agreement:
    """`n` pairs, the share that agreed, kappa and its 95 % bootstrap interval; None where undefined."""

    n: int
    same: float | None
    kappa: float | None
    interval: tuple[float, float] | None


def cohen_kappa(pairs: Sequence[Pair]) -> float | None:
    """(observed - expected) / (1 - expected) agreement; None for no pairs, or one answer throughout."""
    if not pairs:
        return None
    n = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    observed = sum(a == b for a, b in pairs) / n
    expected = sum(first[value] * second[value] for value in first) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """1 - observed / expected disagreement, nominal. `units`: the ratings of each case; those with fewer
    than two are left out. None when there is nothing to compare."""
    rated = [unit for unit in units if len(unit) > 1]
    totals = Counter(value for unit in rated for value in unit)
    n = sum(totals.values())
    if len(totals) < 2:
        return None
    disagreement = sum(
        (len(unit) ** 2 - sum(count**2 for count in Counter(unit).values())) / (len(unit) - 1)
        for unit in rated
    )
    expected = (n**2 - sum(count**2 for count in totals.values())) / (n - 1)
    return 1 - disagreement / expected


def measure(pairs: Sequence[Pair], *, resamples: int = 1000, seed: int = 0) -> Agreement:
    """Agreement of the pairs. The interval is a percentile bootstrap over pairs, from ten pairs on."""
    if not pairs:
        return Agreement(0, None, None, None)
    same = sum(a == b for a, b in pairs) / len(pairs)
    return Agreement(len(pairs), same, cohen_kappa(pairs), _interval(pairs, cohen_kappa, resamples, seed))


def _interval(
    pairs: Sequence[Pair], statistic: Callable[[Sequence[Pair]], float | None], resamples: int, seed: int
) -> tuple[float, float] | None:
    if len(pairs) < 10:
        return None
    rng = np.random.default_rng(seed)
    drawn = [
        statistic([pairs[i] for i in row]) for row in rng.integers(0, len(pairs), (resamples, len(pairs)))
    ]
    values = [value for value in drawn if value is not None]
    if len(values) < resamples // 2:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
