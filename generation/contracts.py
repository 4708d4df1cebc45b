"""The contract between the pipeline's runner and its stages.

A stage is a function `(request, artefact) -> Outcome`. It never writes rows: it returns what it
found (`checks`, `evidence`), what it made (`produces`, kept with the stage's row and handed to
later stages; big things are `files` in `artefact.workdir` or arrays in `artefact.memory`) and
what should happen exactly once because of it (`effects`). Only the runner writes.
"""

from collections.abc import Callable, Mapping, Sequence
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
    """Something the runner does once per (request, stage, kind, key), in the stage's transaction.

    `key` tells effects of one kind apart where a stage that runs again may have to do another
    one: the log stage keys its entry by the content digest, so the same clip is logged once and
    a clip that was encoded anew gets an entry of its own. What the effect gave back is found by
    later stages in `artefact.produced[stage]["effects"][kind]`.
    """

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a stage says. HOLD and REJECT carry code, category, clause, message and help for the person.

    `evidence`, `checks` and `produces` are JSON-able. `evidence` and `checks` hold no prompt text
    and no biometric. `files` maps a name to a file that the stage wrote in `artefact.workdir`: the
    runner makes it durable, records its sha256 and hands it to later stages as
    `artefact.files[name]`; when it is gone or changed after a crash, the stage runs again.
    """

    verdict: Verdict
    evidence: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    effects: tuple[Effect, ...] = ()
    produces: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    code: str = ""
    category: str = ""
    clause: str = ""
    message: str = ""
    help: str = ""


@dataclass
class Artefact:
    """What exists of the clip so far. `memory` dies with the process; `produced` comes from the rows.

    `workdir` belongs to this attempt alone, so a worker that lost its lease cannot overwrite what
    its successor makes. `produced` is keyed by stage name. `progress` takes the fraction of this
    stage and a word for the person who waits; `check_cancelled` raises when the request was
    cancelled or the lease is lost, and long stages call it often. `settle` applies effects before the
    stage has ended, once per attempt: for what must be on the record though the worker may die.
    """

    workdir: Path
    produced: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    progress: Callable[[float, str], None] = lambda fraction, message: None
    check_cancelled: Callable[[], None] = lambda: None
    settle: Callable[[Sequence[Effect]], None] = lambda effects: None


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
    weight: float = 1.0  # its share of the progress bar
