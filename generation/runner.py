"""Takes a request through the stages of one queue, and is the only code that writes what they say.

Promises: a stage's outcome, its effects, the state and the audit entry commit together or not at
all; effects happen once; no verdict means held; a worker that lost its lease writes nothing; a
request whose worker died goes on with the first stage whose result is gone. After the last stage
of a queue the request is handed to the other queue in the same transaction. The state table is
states.py, the reading of outcomes verdict.py, the lease lease.py.
"""

import dataclasses
import logging
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from byline.audit.base import conf
from byline.audit.base.errors import BylineError
from byline.generation import effects, lease, pipeline, stage_runs, states, store, verdict
from byline.generation.contracts import Artefact, Effect, Outcome, Stage
from byline.generation.models import GenerationRequest
from byline.generation.planning import next_position
from byline.generation.renditions import stages as renditions
from byline.generation.states import State
from byline.generation.transitions import move
from byline.generation.wake import wake
from byline.safety import activation, policy

logger = logging.getLogger(__name__)

ACTOR = "system:pipeline"
OnProgress = Callable[[float, str, str], None]  # fraction of the whole, stage, message
Wake = Callable[[uuid.UUID, str], None]


class TooManyAttempts(BylineError):
    code = "too_many_attempts"
    help = "The workers' logs say why they stopped. Submit the request again once that is mended."


class PipelineBroken(BylineError):
    """The recorded runs do not cover the pipeline: somebody changed the list or the rows."""

    code = "pipeline_broken"


def run(
    request_id: uuid.UUID,
    queue: str,
    *,
    stages: Sequence[Stage] | None = None,
    on_progress: OnProgress | None = None,
    wake_next: Wake = wake,
) -> State | None:
    """Work on a request as a worker of `queue` until it is at rest or belongs to the other queue.

    Returns its state then, or None when there was nothing to claim or the lease was lost. Errors of
    stages end in the row, not here; only a database that is away raises (the lease then runs out
    and the sweeper wakes another worker).
    """
    held = lease.claim(request_id, queue)
    if held is None:
        return None
    with held.kept():
        row = GenerationRequest.objects.select_related("master").get(pk=request_id)
        chosen = renditions.of(pipeline.STAGES if stages is None else stages, row)
        attempt = _Attempt(held, queue, chosen, on_progress, wake_next)
        try:
            state = attempt.go()
        except lease.LeaseLost:
            logger.warning("lost the lease of %s", request_id)
            return None
    if state in states.TERMINAL or state is State.READY:
        store.discard_work(request_id)
    return state


def run_to_end(
    request_id: uuid.UUID,
    on_progress: OnProgress | None = None,
    *,
    stages: Sequence[Stage] | None = None,
) -> State:
    """Drive both queues in this process until the request is at rest; for the command line and tests.

    Waits where another worker holds the request.
    """
    while True:
        state = State(GenerationRequest.objects.values_list("state", flat=True).get(pk=request_id))
        queue = states.queue_of(state)
        if queue is None:
            return state
        done = run(request_id, queue, stages=stages, on_progress=on_progress, wake_next=lambda *_: None)
        if done is None:
            time.sleep(0.2)


class _Attempt:
    """One claim's work."""

    def __init__(
        self,
        held: lease.Lease,
        queue: str,
        stages: Sequence[Stage],
        on_progress: OnProgress | None,
        wake_next: Wake,
    ) -> None:
        self.lease, self.queue, self.stages = held, queue, stages
        self.on_progress, self.wake_next = on_progress, wake_next
        self.weights = [stage.weight for stage in stages]
        self.stage = ""  # the one that runs, for errors
        self.done = 0  # stages 0..done-1 have passed and speak of what exists
        self.artefact = Artefact(
            workdir=store.attempt_directory(held.request_id, held.attempt), check_cancelled=held.check
        )

    def go(self) -> State:
        try:
            with transaction.atomic():
                row = self.lease.lock()
            self._take_up(row)
            self.policy = policy.load()
            self.ground = activation.check(self.policy)
            state = self._advance(row)
        except lease.Cancelled:
            return self._end(State.CANCELLED, "generation.cancelled", {})
        except (lease.LeaseLost, OperationalError, InterfaceError):
            raise
        except BylineError as error:
            return self._fail(error.code, str(error), error.help)
        except Exception as error:  # noqa: BLE001  the one boundary: whatever a plug-in raises ends here
            # Neither message nor traceback: both may quote the prompt. Type and place do not.
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error(
                "%s: stage %s raised %s at %s:%s",
                self.lease.request_id,
                self.stage,
                type(error).__name__,
                Path(place.filename).name,
                place.lineno,
            )
            message = f"Something unexpected happened in stage {self.stage or 'start'}."
            return self._fail(BylineError.code, message, BylineError.help)
        return state

    def _take_up(self, row: GenerationRequest) -> None:
        """Learn what earlier attempts left: the leading stages that passed and whose files are whole."""
        self.stage = row.stage
        if row.cancel_requested_at:
            raise lease.Cancelled("cancelled before this worker began")
        if row.retries >= conf.get("MAX_ATTEMPTS"):
            raise TooManyAttempts(f"Its worker stopped {row.retries} times in or after stage {row.stage!r}.")
        self.done = stage_runs.take_up(row, self.stages, self.artefact)

    def _advance(self, row: GenerationRequest) -> State:
        while True:
            position = next_position(self.stages, self.done, self.artefact.memory)
            stage = self.stages[position]
            if stage.queue != self.queue:  # what the other queue made is gone
                with transaction.atomic():
                    row = self.lease.lock()
                    return self._hand_over(row, stage)
            self.done, self.stage = position, stage.name
            self._progress(position, 0.0, stage.name)
            self.lease.check()
            self.artefact.progress = partial(self._progress, position)
            self.artefact.settle = partial(self._settle, stage.name)
            started = time.monotonic()
            outcome = stage.run(row, self.artefact)
            seconds = time.monotonic() - started
            self.lease.check()
            files = stage_runs.make_durable(outcome, row, self.artefact)
            with transaction.atomic():
                row = self.lease.lock()
                if row.cancel_requested_at:
                    raise lease.Cancelled("cancelled while this stage ran")
                self._record(row, position, outcome, seconds, files)
            if states.queue_of(row.state) != self.queue or not row.lease_owner:
                return State(row.state)

    def _settle(self, stage: str, wanted: Sequence[Effect]) -> None:
        """Effects of a stage that still runs, once per attempt and only while the lease is held."""
        with transaction.atomic():
            row = self.lease.lock()
            keyed = [dataclasses.replace(e, key=f"{self.lease.attempt}/{e.key}") for e in wanted]
            effects.apply_once(row, stage, keyed)

    def _record(
        self,
        row: GenerationRequest,
        position: int,
        outcome: Any,
        seconds: float,
        files: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Everything that follows from one outcome, inside the caller's transaction."""
        stage = self.stages[position]
        if self.ground.status != "available" and isinstance(outcome, Outcome):
            outcome = dataclasses.replace(outcome, checks=(self.ground, *outcome.checks))
        released = {
            reason for item in row.releases if item["stage"] == stage.name for reason in item["reasons"]
        }
        ruling = verdict.rule(
            outcome,
            excused=lambda name: self.policy.may_be_unavailable(row.profile, name, row.brand),
            released=released,
        )
        said = outcome if isinstance(outcome, Outcome) else None
        passed = ruling.action == "pass"
        produces = dict(said.produces) if said else {}
        if passed and said and said.effects:
            produces["effects"] = effects.apply_once(row, stage.name, said.effects)
        evidence = dict(said.evidence) if said else {}
        if ruling.released:
            evidence["released"] = list(ruling.released)
        stage_runs.write(
            row,
            stage.name,
            position,
            attempt=self.lease.attempt,
            seconds=seconds,
            said={
                "verdict": str(said.verdict) if said else "none",
                "passed": passed,
                "checks": [stage_runs.check_row(check) for check in said.checks] if said else [],
                "evidence": evidence,
                "produces": produces,
                "files": dict(files),
            },
        )
        # What later stages said was about something that has now been made anew.
        row.runs.filter(stage__in=[later.name for later in self.stages[position + 1 :]]).update(current=False)
        if not passed:
            self._refuse(row, stage.name, ruling)
            return
        self.done = position + 1
        self.artefact.produced[stage.name] = produces
        if said:
            self.artefact.files |= said.files
        if self.done == len(self.stages):
            self._ready(row, produces)
            return
        following = self.stages[next_position(self.stages, self.done, self.artefact.memory)]
        if following.queue != self.queue:
            self._hand_over(row, following)

    def _hand_over(self, row: GenerationRequest, following: Stage) -> State:
        """Give the request to the other queue; it may be claimed once this transaction commits."""
        to = State.QUEUED if following.queue == "gpu" else State.FINISHING
        columns: dict[str, Any] = {"lease_owner": "", "lease_until": None, "retries": 0, "woken_at": None}
        if State(row.state) is State.CHECKING:
            payload = {
                "decision": "allow",
                "profile": row.profile,
                "policy_version": self.policy.version,
                "checks": row.checks_summary(),
                "released": sorted({reason for item in row.releases for reason in item["reasons"]}),
            }
            move(row, to, actor=ACTOR, kind="generation.decided", payload=payload, **columns)
        else:
            move(row, to, actor=ACTOR, **columns)
        transaction.on_commit(partial(self.wake_next, row.pk, following.queue))
        return to

    def _refuse(self, row: GenerationRequest, stage: str, ruling: verdict.Ruling) -> None:
        to, kind = (
            (State.HELD, "generation.held")
            if ruling.action == "hold"
            else (State.REJECTED, "generation.blocked")
        )
        payload = {
            "stage": stage,
            "code": ruling.code,
            "category": ruling.category,
            "clause": ruling.clause,
            "reasons": list(ruling.reasons),
            "profile": row.profile,
            "policy_version": self.policy.version,
            "checks": row.checks_summary(),
        }
        move(
            row,
            to,
            actor=ACTOR,
            kind=kind,
            payload=payload,
            stage=stage,
            held_in=row.state if to is State.HELD else "",
            held_for=list(ruling.reasons),
            error_code=ruling.code,
            error_message=ruling.message,
            error_help=ruling.help,
            error_category=ruling.category,
            error_clause=ruling.clause,
        )

    def _ready(self, row: GenerationRequest, result: Mapping[str, Any]) -> None:
        """The last stage passed. Its `produces` has sha256, manifest_sha256, asset_entry and record."""
        passed = list(row.runs.filter(current=True, passed=True).values_list("stage", flat=True))
        if passed != [stage.name for stage in self.stages]:
            raise PipelineBroken("Not every stage of the pipeline has passed.")
        payload = {
            "sha256": result["sha256"],
            "manifest": result["manifest_sha256"],
            "asset_entry": result["asset_entry"],
            "record": result["record"],
        }
        move(
            row,
            State.READY,
            actor=ACTOR,
            kind="generation.ready",
            payload=payload,
            file_sha256=result["sha256"],
            result=dict(result),
            progress=1.0,
            message="ready",
            error_code="",
        )

    def _fail(self, code: str, message: str, help: str) -> State:
        texts = {"error_code": code, "error_message": message, "error_help": help}
        payload = {"code": code, "attempt": self.lease.attempt}
        return self._end(State.FAILED, "generation.failed", payload, **texts)

    def _end(self, to: State, kind: str, payload: Mapping[str, Any], **columns: Any) -> State:
        with transaction.atomic():
            row = self.lease.lock()
            move(
                row,
                to,
                actor=row.cancel_requested_by or ACTOR if to is State.CANCELLED else ACTOR,
                kind=kind,
                payload={"stage": self.stage, **payload},
                stage=self.stage,
                **columns,
            )
        return to

    def _progress(self, position: int, fraction: float, message: str) -> None:
        name = self.stages[position].name
        whole = sum(self.weights[:position]) + min(max(fraction, 0.0), 1.0) * self.weights[position]
        self.lease.note(whole / sum(self.weights), name, message or name)
        if self.on_progress:
            self.on_progress(whole / sum(self.weights), name, message or name)
