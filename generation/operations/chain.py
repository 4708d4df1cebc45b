"""Shots that go on from one another: each new one begins where the last one ended.

A seam at which the model breaks off is made again with another seed, at most RETRIES times, and the best
try is kept; every try is counted. Frames here have the engine's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import Operation
from byline.generation.operations.anchoring import anchored
from byline.generation.operations.measures import CONTINUOUS, continuity
from byline.generation.operations.work import Work

RETRIES = 2
MAX_LINKS = 64
KNOWN = 5  # last frames given to a model that edits clips: one and a group of four
UNKNOWN = 127  # grey, what editing models expect where nothing is known


@dataclass(frozen=True)
class Link:
    """One shot of the chain: how it was led, how it was anchored, and its seam as the model made it and as
    it is after anchoring (see `measures.continuity`)."""

    by: str
    anchor: str
    tries: int
    continuity_of_model: float
    continuity: float

    @property
    def holds(self) -> bool:
        """Whether the model itself went on; what it broke off, anchoring can only hide by a fade."""
        return min(self.continuity_of_model, self.continuity) >= CONTINUOUS


def go_on(work: Work, known: np.ndarray, count: int) -> tuple[np.ndarray, list[Link]]:
    """`count` frames that follow `known` (T, h, w, 3), and one Link for each shot that was needed."""
    led_by = KNOWN if _edits(work) and len(known) >= KNOWN else 1
    gained = work.info.frames - led_by
    if gained < 1:
        raise InvalidInput("this engine's clips are too short to go on from", help="Use another engine.")
    planned = -(-count // gained)
    if planned > MAX_LINKS:
        raise InvalidInput(
            f"{planned} shots would be needed, at most {MAX_LINKS} are made", help="Ask for fewer seconds."
        )
    whole, links = known, list[Link]()
    while len(whole) - len(known) < count:
        made, link = _best(work.part(len(links), planned), whole, led_by, len(links) + 1)
        whole = np.concatenate([whole, made])
        links.append(link)
    return whole[len(known) : len(known) + count], links


def _best(work: Work, known: np.ndarray, led_by: int, shot: int) -> tuple[np.ndarray, Link]:
    """The next shot without the frame that it repeats: the first try whose seam holds, else the best."""
    found: list[tuple[np.ndarray, Link]] = []
    for again in range(RETRIES + 1):
        repeating, by = _led(work.part(again, RETRIES + 1), known, led_by, shot, again)
        as_made = continuity(known, repeating[1:])
        followed, how = anchored(repeating, known[-1], follows=as_made >= CONTINUOUS)
        link = Link(by, how, again + 1, as_made, continuity(known, followed[1:]))
        found.append((followed[1:], link))
        if link.holds:
            break
    frames, link = max(found, key=lambda one: (one[1].holds, one[1].continuity_of_model))
    return frames, replace(link, tries=len(found))


def _led(work: Work, known: np.ndarray, led_by: int, shot: int, again: int) -> tuple[np.ndarray, str]:
    """Frames of which the first repeats the last known one as well as this engine can, and by what means."""
    if led_by > 1:
        clip = np.full((work.info.frames, *known.shape[1:]), UNKNOWN, np.uint8)
        clip[:led_by] = known[-led_by:]
        mask = np.full(clip.shape[:3], 255, np.uint8)
        mask[:led_by] = 0
        made = work.run(shot=shot, again=again, video=clip, mask=mask)
        return made[led_by - 1 :], f"last {led_by} frames"
    if work.can(Operation.IMAGE_TO_VIDEO, "image"):
        return work.run(shot=shot, again=again, image=known[-1]), "last frame"
    if work.can(Operation.TEXT_TO_VIDEO):
        return work.run(shot=shot, again=again), "words alone"
    raise InvalidInput("this engine cannot go on from a clip", help="`byline models list` shows which can.")


def _edits(work: Work) -> bool:
    return work.can(Operation.EDIT, "video", "mask") and work.info.frames > KNOWN


def facts(links: Sequence[Link]) -> dict[str, Any]:
    """What is said of a chain: each link, the worst seam, and how many did not hold in any try."""
    told = [
        {key: round(v, 3) if isinstance(v, float) else v for key, v in asdict(link).items()} for link in links
    ]
    return {
        "links": told,
        "retries": sum(link.tries - 1 for link in links),
        "worst_continuity": round(min((link.continuity for link in links), default=1.0), 3),
        "broken_seams": sum(not link.holds for link in links),
    }
