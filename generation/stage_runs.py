"""The row of a stage's run: written from an outcome, read again by the attempt that takes over.

It promises that a run says whether an earlier one had said something else, and that a run whose
files are gone or changed does not count as passed. Called by the runner alone.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from byline.generation import store
from byline.generation.contracts import Artefact, Outcome, Stage
from byline.generation.models import GenerationRequest, StageRun


def take_up(row: GenerationRequest, stages: Sequence[Stage], artefact: Artefact) -> int:
    """Put what earlier attempts left into the artefact. Returns how many leading stages have passed
    and still have their files, compared by sha256."""
    runs = {run.stage: run for run in row.runs.filter(current=True, passed=True)}
    base = store.work_directory(row.pk)
    done = 0
    for stage in stages:
        run = runs.get(stage.name)
        if run is None:
            break
        files = {name: (base / noted["path"], noted["sha256"]) for name, noted in run.files.items()}
        if not all(path.is_file() and store.sha256_of(path) == sha for path, sha in files.values()):
            break
        artefact.produced[stage.name] = run.produces
        artefact.files |= {name: path for name, (path, _) in files.items()}
        done += 1
    return done


def make_durable(outcome: Any, row: GenerationRequest, artefact: Artefact) -> dict[str, dict[str, str]]:
    """fsync the outcome's files and note path and sha256, before a row speaks of them."""
    if not isinstance(outcome, Outcome):
        return {}
    base = store.work_directory(row.pk)
    noted = {}
    for name, path in outcome.files.items():
        store.fsync(path)
        noted[name] = {"path": str(path.relative_to(base)), "sha256": store.sha256_of(path)}
    if noted:
        store.fsync(artefact.workdir)
    return noted


def write(
    row: GenerationRequest,
    stage: str,
    position: int,
    *,
    attempt: int,
    seconds: float,
    said: Mapping[str, Any],
) -> None:
    """Write the stage's run; a second one counts, and says so when it differs from the first."""
    parts = [said[name] for name in ("verdict", "checks", "produces")]
    text = json.dumps([*parts, {n: f["sha256"] for n, f in said["files"].items()}], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    run = StageRun.objects.filter(request=row, stage=stage).first()
    if run is None:
        run = StageRun(request=row, stage=stage)
    else:
        run.runs += 1
        run.superseded += int(run.digest != digest)
    run.position, run.attempt, run.seconds, run.digest, run.current = position, attempt, seconds, digest, True
    for name, value in said.items():
        setattr(run, name, value)
    run.save()


def check_row(check: Any) -> dict[str, Any]:
    names = ("name", "status", "action", "detail", "category", "clause", "score")
    return {name: getattr(check, name) for name in names} | {"evidence": dict(check.evidence)}
