"""The acceptance threshold: the numbers, and that the inequality under it holds on real draws."""

import math

import numpy as np
import pytest

from byline.provenance.marks.patterns import signs
from byline.provenance.marks.threshold import acceptance_threshold


def bound(t: float, payload_bits: float, hypotheses: int, keys: int) -> float:
    return 2.0**payload_bits * hypotheses * keys * math.exp(-t * t / 2)


@pytest.mark.parametrize(
    ("bits", "hypotheses", "keys", "expected"),
    [(64, 3_600_000, 1, 12.66), (32, 7_400, 1, 10.18), (math.log2(100), 3_600_000, 1, 9.00)],
)
def test_known_numbers(bits: float, hypotheses: int, keys: int, expected: float) -> None:
    t = acceptance_threshold(payload_bits=bits, hypotheses=hypotheses, keys=keys, false_accept=1e-9)
    assert t == pytest.approx(expected, abs=0.01)
    assert bound(t, bits, hypotheses, keys) == pytest.approx(1e-9, rel=1e-6)


def test_more_to_choose_from_needs_more_evidence() -> None:
    def t(**changes: float) -> float:
        given = {"payload_bits": 64, "hypotheses": 1000, "keys": 1, "false_accept": 1e-9} | changes
        return acceptance_threshold(**given)  # type: ignore[arg-type]

    assert t() < t(keys=2) < t(keys=16)
    assert t() < t(hypotheses=1001)
    assert t() < t(share=0.5)
    assert t() < t(false_accept=1e-12)
    assert t(payload_bits=32) < t()


@pytest.mark.parametrize(
    "bad",
    [
        {"hypotheses": 0},
        {"keys": 0},
        {"false_accept": 0.0},
        {"share": 0.0},
        {"share": 1.5},
        {"payload_bits": -1},
    ],
)
def test_impossible_numbers_are_refused(bad: dict[str, float]) -> None:
    given = {"payload_bits": 64, "hypotheses": 1, "keys": 1, "false_accept": 1e-9} | bad
    with pytest.raises(ValueError, match=r"hypothesis|probability"):
        acceptance_threshold(**given)  # type: ignore[arg-type]


def test_hoeffding_holds_for_our_signs_on_a_spiky_host() -> None:
    n, draws = 256, 20_000
    host = np.random.default_rng(1).laplace(size=n) ** 3  # far from Gaussian
    pattern = signs(bytes(32), "draws", n * draws).reshape(draws, n)
    scores = pattern @ host / np.linalg.norm(host)
    for t in (1.0, 2.0, 3.0):
        assert (scores >= t).mean() <= math.exp(-t * t / 2)
    assert (scores >= 1.0).mean() > 0.05  # the test can fail: the scores do spread
