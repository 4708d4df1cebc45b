"""Which stage comes next, given what has passed and what is still in memory. Pure.

A stage whose memory artefacts are gone sends the run back to the earliest stage that gives one of
them, and everything from there on runs again: what is encoded must be what was screened.
"""

from collections.abc import Container, Sequence

from byline.audit.base.errors import ConfigurationError
from byline.generation.contracts import Stage


def next_position(stages: Sequence[Stage], done: int, memory: Container[str]) -> int:
    """Index of the stage to run when `stages[:done]` have passed. ConfigurationError when a stage
    needs what no earlier one gives. IndexError is not raised: `done` must be below len(stages)."""
    position = done
    while missing := [name for name in stages[position].needs if name not in memory]:
        givers = [i for i in range(position) if set(missing) & set(stages[i].gives)]
        given = {name for i in givers for name in stages[i].gives}
        if set(missing) - given:
            raise ConfigurationError(f"stage {stages[position].name} needs what no earlier stage gives")
        position = givers[0]
    return position
