"""quality: the measures of the shots, taken before anything is composed. Low agreement goes to a person."""

from typing import Any

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.films import scenes
from byline.generation.stages.debias import final_prompt
from byline.safety.checks import Check

NAME = "output.quality"


def quality(request: Any, artefact: Artefact) -> Outcome:
    """Measure, flag and, below the installation's threshold of agreement, hold. See docs/quality.md."""
    from byline.generation.quality import agreement, measures
    from byline.generation.quality.settings import thresholds

    made, shots, limits = artefact.produced["engine"], artefact.memory["shots"], thresholds()
    prompt = final_prompt(artefact)
    prompts = scenes.lines(request, prompt) if request.scenes else [prompt] * len(shots)
    artefact.check_cancelled()
    fits = agreement.measure(shots, prompts, made["model"])
    taken = (fits, *measures.measure(shots, made["fps"]))
    motion = next(item.value for item in taken if item.name == "motion")
    flags = []
    if motion is None or motion < limits.motion_floor:
        flags.append("below_motion_floor")
    check = Check(NAME, "available", evidence={"flags": flags})
    if fits.value is not None and fits.value < limits.review_below:
        flags.append("low_agreement")
        detail = f"the clip fits its prompt worse than {1 - fits.value:.0%} of other prompts"
        check = Check(
            NAME, "available", "review", detail, "quality", score=fits.value, evidence={"flags": flags}
        )
    return Outcome(
        Verdict.ALLOW,
        checks=(check,),
        evidence={"measures": [item.as_dict() for item in taken], "flags": flags},
    )
