"""A shot that does not show its prompt is made again, with another seed, twice at most; the best is kept.

Each further try has an audit entry of its own the moment it is decided on, with the agreement that was too
low. Where no screener can judge an engine's pictures, or the clip is made from material of the editor's,
nothing is made again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from byline.generation.contracts import Artefact, Effect
from byline.generation.engines.base import VideoTask, never_cancelled, no_progress
from byline.generation.quality import agreement
from byline.generation.quality.settings import thresholds

KIND = "generation.retried"
OPERATION = "text_to_video"
_STRIDE = 104_729  # a prime: the seeds of the next shots, which follow one another, are not used twice


@dataclass(frozen=True)
class Try:
    """One making of a shot. `agreement` as in quality/agreement.py."""

    seed: int
    agreement: float


def over(engine: Any, request: Any, artefact: Artefact) -> Any:
    """The engine for this request: as it is, or one that makes poor shots again."""
    limits = thresholds()
    scorer = agreement.scorer_for(engine.info.name) if request.operation == OPERATION else None
    if scorer is None or not limits.retries:
        return engine

    def log(number: int, task: VideoTask, found: Try) -> None:
        payload = {
            "seed": str(task.seed),
            "try": number,
            "agreement": f"{found.agreement:.4f}",
            "below": f"{limits.retry_below:g}",
        }
        effect = Effect("append", {"kind": KIND, "payload": payload}, key=f"retry/{task.seed}/{number}")
        artefact.settle([effect])

    return Retrying(engine, scorer.score, log, below=limits.retry_below, most=limits.retries)


def told(engine: Any) -> list[list[dict[str, Any]]]:
    """Every try of every shot that an engine of `over` made, for the record; [] where none is judged."""
    if not isinstance(engine, Retrying):
        return []
    return [
        [{"seed": one.seed, "agreement": round(one.agreement, 4)} for one in tries] for tries in engine.tries
    ]


class Retrying:
    """Passes everything on to the engine; what it makes is judged by `score(frames, prompt)`, 0 to 1."""

    def __init__(
        self,
        engine: Any,
        score: Callable[[np.ndarray, str], float],
        log: Callable[[int, VideoTask, Try], None],
        *,
        below: float,
        most: int,
    ) -> None:
        self._engine, self._score, self._log = engine, score, log
        self._below, self._most = below, most
        self.tries: list[tuple[Try, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        made = self._engine.generate(task, progress, check_cancelled)
        return self._best(task, made, progress, check_cancelled)

    def generate_many(
        self,
        tasks: Sequence[VideoTask],
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> list[np.ndarray]:
        made = self._engine.generate_many(tasks, progress, check_cancelled)
        pairs = zip(tasks, made, strict=True)
        return [self._best(task, shot, no_progress, check_cancelled) for task, shot in pairs]

    def _best(
        self,
        task: VideoTask,
        made: np.ndarray,
        progress: Callable[[float], None],
        check_cancelled: Callable[[], None],
    ) -> np.ndarray:
        """The shot, or the best of up to `most` further ones."""
        best, best_score = made, float(self._score(made, task.prompt))
        tries = [Try(task.seed, best_score)]
        while tries[-1].agreement < self._below and best_score < self._below and len(tries) <= self._most:
            self._log(len(tries), task, tries[-1])
            again = replace(task, seed=(task.seed + _STRIDE * len(tries)) % 2**63)
            shot = self._engine.generate(again, progress, check_cancelled)
            score = float(self._score(shot, task.prompt))
            tries.append(Try(again.seed, score))
            if score > best_score:
                best, best_score = shot, score
        self.tries.append(tuple(tries))
        return best
