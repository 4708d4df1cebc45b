"""Does a shot show its prompt? Asked of the screener for that (setting SCREENERS, role "agreement").

A screener that does not know an engine's pictures is not asked: the answer would be a number without a
meaning. Then the agreement is "not checked", nothing is made again and nothing is held for it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from byline.audit.base.errors import BylineError
from byline.generation.quality.measures import Measure
from byline.safety.screen import adapters

NAME, UNIT = "prompt_agreement", "share of other prompts that fit worse"


def scorer_for(model: str) -> Any:
    """The configured screener where it can judge the pictures of this engine, else None."""
    found = adapters.load("agreement")
    return found if found is not None and found.covers(model) else None


def measure(shots: Sequence[np.ndarray], prompts: Sequence[str], model: str) -> Measure:
    """The lowest agreement of the shots with their prompts."""
    try:
        scorer = scorer_for(model)
        if scorer is None:
            return _nothing("no screener knows this engine's pictures")
        pairs = zip(shots, prompts, strict=True)
        scores = tuple(round(float(scorer.score(shot, prompt)), 4) for shot, prompt in pairs)
    except BylineError as error:
        return _nothing(error.code)
    return Measure(NAME, "prompt", UNIT, type(scorer).__name__, min(scores), shots=scores)


def _nothing(why: str) -> Measure:
    return Measure(NAME, "prompt", UNIT, "none", None, why)
