"""The order of the gates between a prompt and a clip: one list, read from top to bottom.

A test holds a second copy of the names, so that no stage is dropped or moved by accident.
"""

from byline.generation.contracts import Stage

STAGES: tuple[Stage, ...] = ()
