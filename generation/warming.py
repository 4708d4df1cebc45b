"""What a worker loads as soon as it starts, so that the first job does not wait for it.

Only what that job would load anyway. Nothing here can stop a worker: what cannot be loaded is said in the
log, and the job that needs it says it again, in its own words.
"""

import logging
from collections.abc import Callable

from byline.audit.base import conf

logger = logging.getLogger(__name__)


def warm_up(queue: str) -> None:
    """Load the models of this queue's stages. Does nothing where WARM_UP is off."""
    if not conf.get("WARM_UP"):
        return
    for name, load in _LOADS.get(queue, {}).items():
        try:
            load()
        except Exception as error:  # noqa: BLE001  whatever a plug-in raises: the job will meet it again
            logger.warning("%s: %s not loaded ahead (%s)", queue, name, type(error).__name__)


def _engine() -> None:
    """The default engine, which stays in the pool until another one needs the room."""
    from byline.generation import engines
    from byline.generation.engines import pool

    engine = engines.load("default")
    if isinstance(engine, pool.Resident):
        with pool.shared.using(engine):
            pass


def _detectors() -> None:
    """The detectors of the screen stage that come with Byline."""
    import numpy as np

    from byline.safety.screen.frames import screen

    screen([np.zeros((64, 112, 3), np.uint8)] * 3, 8.0, drawn_by_us=True)


def _moderation() -> None:
    from byline.safety import policy
    from byline.safety.moderation import moderate

    moderate({"prompt": "A boat on a lake."}, policy.load(), conf.get("PROFILE"))


_LOADS: dict[str, dict[str, Callable[[], None]]] = {
    "light": {"moderation": _moderation},
    "gpu": {"engine": _engine, "detectors": _detectors},
}
