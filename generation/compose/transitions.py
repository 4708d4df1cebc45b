"""How one shot gives way to the next: cut, cross-fade, wipe, or a dip through the brand's colour."""

from dataclasses import dataclass

import cv2
import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.brands import RGB

KINDS = ("cross-fade", "cut", "wipe", "dip")
_SOFT = 0.02  # of the width: the edge of a wipe


class TransitionTooLong(InvalidInput):
    code = "transition_too_long"
    help = (
        "Ask for a shorter transition, fewer shots or a longer clip: a shot is seen alone for half its time."
    )


@dataclass(frozen=True)
class Transition:
    """`seconds` is its whole length, during which both shots run; a cut has none. `exact` False: shorter
    where the shots are too short for it."""

    kind: str = "cross-fade"
    seconds: float = 0.35
    exact: bool = False

    def overlap(self, shortest: float) -> float:
        """Seconds in which two shots are seen, the shorter of which lasts `shortest`. TransitionTooLong."""
        if self.kind == "cut":
            return 0.0
        if self.exact and self.seconds > shortest / 2:
            raise TransitionTooLong(f"{self.seconds:g} s of transition beside a shot of {shortest:.2f} s")
        return min(self.seconds, shortest / 3) if not self.exact else self.seconds

    def mixed(self, first: np.ndarray, second: np.ndarray, share: float, colour: RGB) -> np.ndarray:
        """The picture when `share` (0 to 1) of the transition is over; both (h, w, 3) uint8 of one size."""
        if self.kind == "wipe":
            return _wiped(first, second, share)
        if self.kind == "dip":
            through = np.empty_like(first)
            through[:] = colour
            return (
                cross_fade(first, through, 2 * share)
                if share < 0.5
                else cross_fade(through, second, 2 * share - 1)
            )
        return cross_fade(first, second, share)


def cross_fade(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """`share` of `second` over `first`, eased."""
    eased = share * share * (3 - 2 * share)
    return cv2.addWeighted(first, 1 - eased, second, eased, 0)


def _wiped(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """`second` comes in from the left behind a soft edge."""
    height, width = first.shape[:2]
    soft = max(1.0, _SOFT * width)
    edge = share * (width + 2 * soft) - soft
    row = np.clip((edge - np.arange(width, dtype=np.float32)) / soft + 0.5, 0, 1).astype(np.float32)
    weight = np.broadcast_to(row, (height, width))
    return np.asarray(
        cv2.blendLinear(second, first, np.ascontiguousarray(weight), np.ascontiguousarray(1 - weight))
    )
