"""Attributes of the people in finished frames, for the bias report: the outputs' side of it.

Promises: measured only where the prompt shows one person and the configured classifier may be asked about
this engine's people; otherwise the result is "not measured" with the reason, never an even-looking number.
A classifier that breaks spoils a figure, not a clip.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base.errors import BylineError
from byline.safety.fairness import classifiers, stated

NOT_MEASURED = "not measured"


def people(shots: Sequence[NDArray[np.uint8]], engine: str, prompt: str) -> dict[str, Any]:
    """{"status", "why", "classifier", "accuracy", "values", "shots"} of shots (T, h, w, 3) uint8; one entry
    of "shots" is {attribute: value}, or None where nobody was seen."""
    if len(stated.people(prompt, ("gender",))) != 1:
        return _nothing("the prompt does not show exactly one person")
    try:
        classifier = classifiers.configured()
        if classifier.engines and engine not in classifier.engines:
            return _nothing("the classifier was not made for this engine's people")
        classifier.self_check()
        read = [classifier.read(shot) for shot in shots]
    except BylineError as error:
        return _nothing(error.code)
    return {
        "status": "measured",
        "why": "",
        "classifier": classifier.version,
        "accuracy": dict(classifier.accuracy),
        "values": {name: {k: list(v) for k, v in m.items()} for name, m in classifier.values.items()},
        "shots": [dict(reading.values) if reading else None for reading in read],
    }


def _nothing(why: str) -> dict[str, Any]:
    return {"status": NOT_MEASURED, "why": why}
