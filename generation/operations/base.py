"""What an operation is: the values that go in and come out, and what is said of it in the manifest.

An operation turns a brief and the editor's own material into shots by asking an engine, and says in
`facts` what was really done. It keeps to the engine contract: the same seed gives the same frames, work
stops where `check_cancelled` raises, and what the engine cannot do is named, never replaced in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from byline.audit.base.errors import InvalidInput

if TYPE_CHECKING:
    from byline.generation.operations.work import Work

GENERATED = "trainedAlgorithmicMedia"  # IPTC digital source types, without their address
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True)
class Inputs:
    """The editor's material. Pictures are uint8 RGB (h, w, 3), clips (T, h, w, 3), a mask uint8 (h, w) or
    (T, h, w) with 255 where things may change, a song is (mono float32 in [-1, 1], samples a second)."""

    first: np.ndarray | None = None
    last: np.ndarray | None = None
    clip: np.ndarray | None = None
    clip_fps: float = 0
    mask: np.ndarray | None = None
    references: tuple[np.ndarray, ...] = ()
    song: tuple[np.ndarray, int] | None = None


@dataclass(frozen=True)
class Brief:
    """What is asked for. `controls` holds validated values by name; an operation reads those that its
    specification lists."""

    prompt: str
    negative_prompt: str
    seed: int
    seconds: float
    controls: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """`shots`: uint8 RGB (T, h, w, 3) each, shown at `fps`. `facts` is JSON-able and holds no prompt."""

    shots: list[np.ndarray]
    fps: float
    facts: Mapping[str, Any]


Run = Callable[["Work", Inputs], Made]


@dataclass(frozen=True)
class OperationSpec:
    """One operation. `required` and `optional` name fields of `Inputs` ("a|b": one of them), `controls`
    the values of `Brief.controls` that it reads.

    `action` is the C2PA action that describes it and `source_type` the IPTC type of the result: the
    composite one where the editor's own pixels are in the result. With `opens` the clip or picture is
    the parent ingredient (c2pa.opened comes first); otherwise given material is an input to a creation.

    `lasts` says how long the result is: "" shots are shown as long as the clip needs, "seconds" exactly
    `Brief.seconds`, "clip" as long as the clip where there is one, "clip+seconds" both together (then
    `Brief.seconds` is the sum), "song" as `Brief.seconds`, but not longer than the song.
    """

    run: Run
    says: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    action: str = "c2pa.created"
    source_type: str = GENERATED
    opens: bool = False
    lasts: str = ""


def require_inputs(name: str, spec: OperationSpec, inputs: Inputs) -> None:
    """Raise InvalidInput that names every missing input."""
    missing = [
        one.replace("|", " or ")
        for one in spec.required
        if not any(_given(inputs, n) for n in one.split("|"))
    ]
    if missing:
        raise InvalidInput(
            f"{name.replace('_', ' ')} needs {', '.join(missing)}", help="Send it along with the prompt."
        )


def _given(inputs: Inputs, name: str) -> bool:
    value = getattr(inputs, name)
    return value is not None and not (isinstance(value, tuple) and not value)
