"""engine: the pictures. Gives `shots`, a list of uint8 RGB arrays (T, h, w, 3), to the later stages."""

from collections.abc import Callable
from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.films import scenes
from byline.generation.stages.debias import drawn_prompt
from byline.generation.stages.inputs import Given


def engine(request: Any, artefact: Artefact) -> Outcome:
    """Carry out the request's operation with its controls: the debiased prompt, in other words where the
    installation has a prompt expander, and in the style asked for."""
    from byline.generation import engines, expansion, measuring
    from byline.generation.controls import fitting, likeness, shots, styles
    from byline.generation.quality import retrying
    from byline.generation.stages import preview
    from byline.generation.stages.at_work import AtWork

    loaded = engines.load(request.options.get("engine", "default"))
    previews = preview.Shown(request, artefact, drawn=loaded.info.drawn and not request.inputs)
    chosen = AtWork(loaded, previews)
    given: Given = artefact.memory["inputs"]
    judged = retrying.over(chosen, request, artefact)
    fitted = fitting.fit(
        judged,
        request.options,
        request.operation,
        seconds=shots.shown_seconds(request.seconds, request.brand),
        negative_prompt=bool(artefact.produced["normalise"]["negative_prompt"]),
    )
    prompt = drawn_prompt(artefact)
    texts = scenes.lines(request, prompt) if request.scenes else [prompt]
    worded = [expansion.expand(request, text) for text in texts]
    styled = [styles.worded(wording.text, request.options.get("style")) for wording in worded]
    if request.scenes:
        made, fps, facts = _film(request, artefact, fitted, styled)
    else:
        made, fps, facts = _operation(request, artefact, fitted, styled[0], given, lambda: chosen.step)
    made, controls = fitted.finish(made, seed=request.seed, mask=given.brush)
    artefact.memory["shots"] = made
    final = "\n".join(styled)
    info, record = fitted.engine.info, dict(chosen.record)
    lossy = record.get("lossy", ())
    return Outcome(
        Verdict.ALLOW,
        checks=tuple(check for wording in worded for check in wording.checks),
        evidence={
            "shots": len(made),
            "frames": sum(len(shot) for shot in made),
            "settings": record,
            "usage": chosen.account(),
            "previews": previews.end(),
            "expansion": ", ".join(sorted({wording.why for wording in worded})),
            "operation": {"name": request.operation, **facts},
            "controls": controls,
            "tries": retrying.told(judged),
        },
        produces={
            "expanded_prompt": final if final != "\n".join(texts) else "",
            "role": f"moving pictures ({'; '.join(lossy)})" if lossy else "moving pictures",
            "further_models": [_lora(adapter) for adapter in _adapters(info, record)]
            + [wording.model for wording in worded if wording.model][:1],
            "training_data": info.training_data,
            "model": info.name,
            "model_version": info.version,
            "revision": info.revision,
            "weights_sha256": info.weights_sha256,
            "licence": info.licence,
            "text_encoder": info.text_encoder,
            "fps": fps,
            "drawn": bool(facts.get("drawn", info.drawn)),
            "seed": request.seed,
            "operation": {"name": request.operation, **facts},
            "controls": controls,
            "look": likeness.look(made) if request.take_set else "",
            "people": measuring.people(made, info.name, final),
        },
    )


def _operation(
    request: Any, artefact: Artefact, fitted: Any, prompt: str, given: Given, step: Callable[[], str]
) -> tuple[list[Any], float, dict[str, Any]]:
    """What the operation makes of the prompt and the editor's own material."""
    from byline.generation import brands, compose, operations

    timed = bool(operations.OPERATIONS[request.operation].lasts)
    brief = operations.Brief(
        prompt=prompt,
        negative_prompt=artefact.produced["normalise"]["negative_prompt"],
        seed=request.seed,
        seconds=compose.continuous_seconds(request.seconds, brands.load(request.brand))
        if timed
        else request.seconds,
        controls=fitted.values,
    )
    words = request.operation.replace("_", " ")
    made = operations.make(
        request.operation,
        fitted.engine,
        brief,
        given.inputs,
        lambda fraction: artefact.progress(fraction, ", ".join(filter(None, (words, step())))),
        artefact.check_cancelled,
    )
    if timed and all(len(shot) > 1 for shot in made.shots):  # played at their own speed, not to fill the time
        artefact.memory["lengths"] = [len(shot) / made.fps for shot in made.shots]
    return made.shots, made.fps, dict(made.facts)


def _film(
    request: Any, artefact: Artefact, fitted: Any, prompts: list[str]
) -> tuple[list[Any], float, dict[str, Any]]:
    """One shot per scene, made or taken up from what is kept of the film."""
    from byline.generation.films import shooting

    made = shooting.shoot(request, artefact, fitted.engine, prompts, fitted.values)
    return made, fitted.engine.info.fps, {"made_by": "model", "shots": len(made)}


def _adapters(info: Any, record: dict[str, Any]) -> list[Any]:
    """LoRA weights that are always on, and those that this task named."""
    from byline.generation.engines.base import Adapter

    return [*info.adapters, *(Adapter(**one) for one in record.get("adapters", ()))]


def _lora(adapter: Any) -> dict[str, str]:
    """What the manifest says of weights that were laid over the model's."""
    return {
        "name": adapter.name,
        "version": f"strength {adapter.strength:g}",
        "role": "LoRA over the model of the moving pictures",
        "licence": adapter.licence,
        "weights_sha256": adapter.sha256,
    }
