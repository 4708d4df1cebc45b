"""engine: the pictures. Gives `shots`, a list of uint8 RGB arrays (T, h, w, 3), to the later stages."""

import math
from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.films import scenes
from byline.generation.stages.debias import drawn_prompt

MAX_SHOTS = 4  # a longer clip shows its shots longer; see compose


def engine(request: Any, artefact: Artefact) -> Outcome:
    """Make the shots of the clip from the debiased prompt, in other words where the installation has a
    prompt expander; the n-th with seed + n."""
    from byline.generation import engines, expansion, measuring
    from byline.generation.engines import VideoTask

    chosen = engines.load(request.options.get("engine", "default"))
    info = chosen.info
    wanted = math.ceil(request.seconds / (info.frames / info.fps))
    count = request.options.get("shots") or min(wanted, MAX_SHOTS)
    prompt = drawn_prompt(artefact)
    texts = scenes.lines(request, prompt) if request.scenes else [prompt]
    worded = [expansion.expand(request, text) for text in texts]
    shots = _film(request, artefact, chosen, worded) if request.scenes else []
    for number in range(0 if request.scenes else count):

        def progress(fraction: float, number: int = number) -> None:
            artefact.progress((number + fraction) / count, f"shot {number + 1} of {count}")

        artefact.check_cancelled()
        task = VideoTask(
            prompt=worded[0].text,
            negative_prompt=artefact.produced["normalise"]["negative_prompt"],
            seed=(request.seed + number) % 2**63,
            guidance=request.options.get("guidance"),
            steps=request.options.get("steps"),
        )
        shots.append(chosen.generate(task, progress, artefact.check_cancelled))
    artefact.memory["shots"] = shots
    final = "\n".join(wording.text for wording in worded)
    lossy = chosen.record.get("lossy", ())
    return Outcome(
        Verdict.ALLOW,
        checks=tuple(check for wording in worded for check in wording.checks),
        evidence={
            "shots": len(shots),
            "frames": sum(len(shot) for shot in shots),
            "settings": dict(chosen.record),
            "expansion": ", ".join(sorted({wording.why for wording in worded})),
        },
        produces={
            "expanded_prompt": final if any(wording.expanded for wording in worded) else "",
            "role": f"moving pictures ({'; '.join(lossy)})" if lossy else "moving pictures",
            "further_models": [_lora(adapter) for adapter in info.adapters]
            + [wording.model for wording in worded if wording.model][:1],
            "training_data": info.training_data,
            "model": info.name,
            "model_version": info.version,
            "revision": info.revision,
            "weights_sha256": info.weights_sha256,
            "licence": info.licence,
            "text_encoder": info.text_encoder,
            "fps": info.fps,
            "drawn": info.drawn,
            "seed": request.seed,
            "people": measuring.people(shots, info.name, final),
        },
    )


def _film(request: Any, artefact: Artefact, chosen: Any, worded: Any) -> list[Any]:
    """One shot per scene, made or taken up from what is kept of the film."""
    from byline.generation.films import shooting

    return shooting.shoot(request, artefact, chosen, [wording.text for wording in worded])


def _lora(adapter: Any) -> dict[str, str]:
    """What the manifest says of weights that were laid over the model's."""
    return {
        "name": adapter.name,
        "version": f"strength {adapter.strength:g}",
        "role": "LoRA over the model of the moving pictures",
        "licence": adapter.licence,
        "weights_sha256": adapter.sha256,
    }
