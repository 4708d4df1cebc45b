"""Transitions of exactly the length that was asked for, and the brand's opening card."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.generation import brands, compose
from byline.generation.compose.transitions import KINDS, Transition, TransitionTooLong

KIT: dict[str, Any] = {
    "colours": {"primary": "#000060", "accent": "#ffb224", "text": "#ffffff"},
    "captions": {"burn": False},
}
SIZE, FPS = (160, 96), 20
RED, GREEN = (200, 0, 0), (0, 200, 0)


def _shot(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((8, 48, 80, 3), colour, np.uint8)


def _made(transition: Transition, seconds: float = 4.0, **more: Any) -> np.ndarray:
    brand = brands.parse("b", {**KIT, **more.pop("kit", {})}, base=Path(), where="b")
    found = compose.compose(
        [_shot(RED), _shot(GREEN)], 4, brand=brand, title="", captions=[], seconds=seconds,
        size=SIZE, fps=FPS, transition=transition, **more,
    )  # fmt: skip
    return np.stack(list(found))


def _middle(frames: np.ndarray) -> np.ndarray:
    """Mean colour of a patch that no drawing covers."""
    return frames[:, 50:60, 20:140].reshape(len(frames), -1, 3).mean(axis=1)


def _mixed(frames: np.ndarray) -> int:
    """Frames that are neither the one shot nor the other."""
    rows = frames[:, 50:60].reshape(len(frames), -1, 3)
    pure = [(rows == shade).all(axis=(1, 2)) for shade in (RED, GREEN)]
    return int((~(pure[0] | pure[1])).sum())


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["cross-fade", "dip", "wipe"])
def test_it_lasts_exactly_as_long_as_asked(kind: str, seconds: float) -> None:
    frames = _made(Transition(kind, seconds, exact=True))
    assert len(frames) == 80
    # The first and the last step of an eased transition may be the pure shot.
    assert abs(_mixed(frames) - seconds * FPS) <= 2
    colour = _middle(frames)
    assert (colour[0] == RED).all()
    assert (colour[-1] == GREEN).all()


def test_a_cut_has_no_mixed_frame() -> None:
    assert _mixed(_made(Transition("cut"))) == 0


def test_each_kind_looks_as_it_is_called() -> None:
    cross = _middle(_made(Transition("cross-fade", 1.0, exact=True)))[40]
    assert cross[0] > 60
    assert cross[1] > 60
    dip = _middle(_made(Transition("dip", 1.0, exact=True)))[40]
    assert dip[2] > 80, "the brand's colour"
    assert max(dip[:2]) < 30
    wipe = _made(Transition("wipe", 1.0, exact=True))[40]
    assert (wipe[55, 20] == GREEN).all()
    assert (wipe[55, 140] == RED).all()
    assert set(KINDS) == {"cut", "cross-fade", "wipe", "dip"}


def test_what_does_not_fit_is_refused_or_shortened() -> None:
    with pytest.raises(TransitionTooLong):
        _made(Transition("cross-fade", 1.5, exact=True), seconds=2.0)
    assert 0 < _mixed(_made(Transition("cross-fade", 1.5), seconds=2.0)) <= 0.34 * FPS + 1


def test_shots_of_a_film_give_way_where_their_lengths_say() -> None:
    frames = _made(Transition("cut"), lengths=[1.0, 3.0])
    colour = _middle(frames)
    assert (colour[:FPS] == RED).all()
    assert (colour[FPS:] == GREEN).all()


def test_the_opening_card_stands_before_the_picture_and_carries_the_label() -> None:
    kit = {"wordmark": "News", "intro": {"text": "Tonight", "seconds": 1.0}, "end_card": {"seconds": 1.0}}
    frames = _made(Transition("cut"), seconds=5.0, kit=kit)
    assert len(frames) == 100
    assert (frames[0][20, 20] == (0, 0, 96)).all(), "the brand's colour"
    opened = _middle(frames)
    assert (opened[FPS + 1] == RED).all(), "the picture is whole when the card's second is over"
    assert not np.array_equal(frames[0], frames[-1]), "its text is not the closing card's"
    label = np.s_[4:14, 100:150]
    assert frames[0][label].max() > 200
    short = _made(Transition("cut"), seconds=1.5, kit=kit)
    assert (_middle(short)[0] == RED).all(), "no time for cards"
