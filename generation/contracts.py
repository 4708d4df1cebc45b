"""The contract between the pipeline's runner and its stages.

A stage is a function `(request, artefact) -> Outcome`. It never writes rows: it returns what it
found (`checks`, `evidence`), what it made (`produces`, kept with the stage's row and handed to
later stages; big things are files in `artefact.workdir` or arrays in `artefact.memory`) and what
should happen exactly once because of it (`effects`). Only the runner writes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from byline.safety.checks import Check


class Verdict(StrEnum):
    ALLOW = "allow"
    TRANSFORM = "transform"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True)
class Effect:
    """Something the runner does once per (request, stage, kind), in the stage's transaction."""

    kind: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a stage says. HOLD and REJECT carry code, category, clause, message and help for the person."""

    verdict: Verdict
    evidence: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    effects: tuple[Effect, ...] = ()
    produces: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    category: str = ""
    clause: str = ""
    message: str = ""
    help: str = ""


@dataclass
class Artefact:
    """What exists of the clip so far. `memory` dies with the process; `produced` comes from the rows."""

    workdir: Path
    produced: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    progress: Callable[[float, str], None] = lambda fraction, message: None
    check_cancelled: Callable[[], None] = lambda: None


class StageFunction(Protocol):
    def __call__(self, request: Any, artefact: Artefact) -> Outcome: ...


@dataclass(frozen=True)
class Stage:
    """One line of the pipeline. `needs` and `gives` name keys of `Artefact.memory`: a stage whose
    needs are gone after a crash makes the runner go back to the stage that gives them."""

    name: str
    run: StageFunction
    queue: str  # "light" (no torch in the process) or "gpu"
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
