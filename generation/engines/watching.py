"""How a running pipeline reports each step, and how it is stopped between two of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def arguments(
    pipeline: Any,
    steps: int,
    progress: Callable[[float], None],
    check_cancelled: Callable[[], None],
    looked_at: Callable[[int, int], None] = lambda done, steps: None,
) -> dict[str, Any]:
    """The arguments that make the pipeline report and stop, in whichever of three ways it can.

    Current pipelines take callback_on_step_end, the frozen ones `callback`. Where there is neither, the
    scheduler's step is watched, which every loop calls once and whose exceptions leave the loop.
    """
    known = inspect.signature(type(pipeline).__call__).parameters
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(min(done / (steps + 1), 0.99))  # the last share is the decoder's
        check_cancelled()
        looked_at(done, steps)

    def after_step(_: Any, __: int, ___: Any, kept: dict[str, Any]) -> dict[str, Any]:
        step()
        return kept

    if "callback_on_step_end" in known:
        return {"callback_on_step_end": after_step}
    if "callback" in known:
        return {"callback": lambda *_: step()}
    scheduler = pipeline.scheduler
    scheduler.step = _stepping(type(scheduler).step.__get__(scheduler), step)
    return {}


def _stepping(original: Callable[..., Any], step: Callable[[], None]) -> Callable[..., Any]:
    def watched(*given: Any, **named: Any) -> Any:
        result = original(*given, **named)
        step()
        return result

    return watched
