"""The stages of a rendition that differ: what would draw, speak or generate takes up the master's."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from byline.generation.contracts import Artefact, Effect, Outcome, Stage, Verdict
from byline.generation.models import GenerationRequest
from byline.generation.renditions import editing, kept
from byline.generation.renditions.kept import NotAMaster


def of(stages: Sequence[Stage], row: GenerationRequest) -> tuple[Stage, ...]:
    """The pipeline for this request: the same stages in the same order; these take up and do not make."""
    if row.master_id is None:
        return tuple(stages)
    own = {"debias": _debias, "inputs": _inputs, "speech": _speech, "engine": _engine, "quality": _quality}
    return tuple(replace(stage, run=own.get(stage.name, stage.run)) for stage in stages)


def _of_master(request: Any, stage: str) -> Any:
    """The master's run of a stage. NotAMaster when it is not there."""
    run = request.master.runs.filter(stage=stage, current=True, passed=True).first()
    if run is None:
        raise NotAMaster("The master's own record is not complete.")
    return run


def _debias(request: Any, artefact: Artefact) -> Outcome:
    """The wording that the pictures were made from. Nothing is drawn again: the people are there."""
    return _copied(request, "debias")


def _inputs(request: Any, artefact: Artefact) -> Outcome:
    artefact.memory["inputs"] = None  # the engine that would read them does not run
    return _copied(request, "inputs")


def _speech(request: Any, artefact: Artefact) -> Outcome:
    """The master's speech, and ids of its own for this one's marks."""
    found = _kept(request)
    artefact.memory["speech"] = found.speech
    copied = _copied(request, "speech")
    return replace(copied, effects=(Effect("reserve_ids"),))


def _engine(request: Any, artefact: Artefact) -> Outcome:
    """The master's shots; of an edit, the stretches that it shows, at their own times."""
    found = _kept(request)
    parts = [(start, end) for start, end in request.edit]
    artefact.memory["shots"], artefact.memory["lengths"] = found.shots, found.lengths
    if parts:
        pieces = editing.pieces(found.layout, parts)
        artefact.memory["shots"] = [found.shots[piece.shot] for piece in pieces]
        artefact.memory["lengths"] = [piece.seconds for piece in pieces]
        artefact.memory["spans"] = [(piece.first, piece.last) for piece in pieces]
        artefact.memory["cuts"] = (parts, request.master.seconds)
    copied = _copied(request, "engine")
    return replace(copied, produces={**copied.produces, "edits": editing.told(found.layout, parts)})


def _quality(request: Any, artefact: Artefact) -> Outcome:
    """The shots are the master's, and so are their measures."""
    return _copied(request, "quality")


def _copied(request: Any, stage: str) -> Outcome:
    run = _of_master(request, stage)
    produced = {name: value for name, value in run.produces.items() if name != "effects"}
    if stage == "debias" and "effects" in run.produces:  # later stages read the drawn wording there
        produced["effects"] = run.produces["effects"]
    evidence = {**run.evidence, "taken_from": request.master.subject}
    return Outcome(Verdict.ALLOW, evidence=evidence, produces=produced)


def _kept(request: Any) -> kept.Kept:
    found = kept.read(request.master_id)
    if found is None:
        raise NotAMaster("The shots of the master are not kept any more.")
    return found
