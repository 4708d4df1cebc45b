"""engine: the pictures. Gives `shots`, a list of uint8 RGB arrays (T, h, w, 3), to the later stages."""

import math
from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
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
    wording = expansion.expand(request, drawn_prompt(artefact))
    shots = []
    for number in range(count):

        def progress(fraction: float, number: int = number) -> None:
            artefact.progress((number + fraction) / count, f"shot {number + 1} of {count}")

        artefact.check_cancelled()
        task = VideoTask(
            prompt=wording.text,
            negative_prompt=artefact.produced["normalise"]["negative_prompt"],
            seed=(request.seed + number) % 2**63,
            guidance=request.options.get("guidance"),
            steps=request.options.get("steps"),
        )
        shots.append(chosen.generate(task, progress, artefact.check_cancelled))
    artefact.memory["shots"] = shots
    lossy = chosen.record.get("lossy", ())
    return Outcome(
        Verdict.ALLOW,
        checks=wording.checks,
        evidence={
            "shots": count,
            "frames": sum(len(shot) for shot in shots),
            "settings": dict(chosen.record),
            "expansion": wording.why,
        },
        produces={
            "expanded_prompt": wording.expanded,
            "role": f"moving pictures ({'; '.join(lossy)})" if lossy else "moving pictures",
            "further_models": [_lora(adapter) for adapter in info.adapters]
            + [wording.model] * bool(wording.model),
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
            "people": measuring.people(shots, info.name, wording.text),
        },
    )


def _lora(adapter: Any) -> dict[str, str]:
    """What the manifest says of weights that were laid over the model's."""
    return {
        "name": adapter.name,
        "version": f"strength {adapter.strength:g}",
        "role": "LoRA over the model of the moving pictures",
        "licence": adapter.licence,
        "weights_sha256": adapter.sha256,
    }
