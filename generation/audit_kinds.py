"""Kinds of audit entries about the making of a clip, imported when the app is ready.

No field holds a prompt, a name or a score that tells a biometric: texts are commitments
(`GenerationRequest.commit`), checks are name and result. "not checked" is a result of its own.
"""

from byline.audit.kinds import Hex64, register

_REFUSAL = {
    "stage": str,
    "code": str,
    "category": str,
    "clause": str,
    "reasons": list,
    "profile": str,
    "policy_version": str,
    "checks": list,
}

register(
    "generation.submitted",
    required={
        "prompt": Hex64,
        "voice_over": Hex64 | None,
        "negative_prompt": Hex64 | None,
        "title": Hex64 | None,
        "references": int,
        "brand": str,
        "seconds": str,
        "seed": str,
        "profile": str,
        "debias": bool,
    },
    optional={
        "operation": str,
        "inputs": list,  # commitments to SHA-256, by role
        "options": dict,
        "take": str,  # "2 of 3"
    },
)
register(
    "generation.input_added",
    required={
        "kind": str,
        "sha256": Hex64,  # a commitment under the row's salt, not the digest itself
        "bytes": int,
        "licence": str,
        "source": Hex64,
        "credentials": str,
    },
)
register("generation.input_forgotten", required={"why": str})
register(
    "generation.decided",
    required={
        "decision": str,
        "profile": str,
        "policy_version": str,
        "checks": list,
        "released": list,
    },
)
register("generation.blocked", required=_REFUSAL)
register("generation.held", required=_REFUSAL)
register("generation.released", required={"stage": str, "reasons": list, "reason": Hex64})
register("generation.rejected", required={"stage": str, "reasons": list, "clause": str, "reason": Hex64})
# An appeal was right: the same brief is tried again, and the refusals that were overturned are lifted.
register("generation.readmitted", required={"refused": str, "stage": str, "reasons": list, "decision": int})
register(
    "generation.asset",
    required={
        # The content digest of the encoded file; signing does not change it (byline.provenance.digest).
        "digest_rule": str,
        "digest": Hex64,
        "prompt": Hex64,
        "final_prompt": Hex64,
        "script": Hex64 | None,
        "model": str,
        "model_version": str,
        "weights": str,
        "model_owner": str,  # the desk that answers for the model, "" where none is named
        "mark": Hex64,
        "audio_mark": Hex64 | None,
        "profile": str,
        "policy_version": str,
        "checks": list,
    },
)
# One shot of a film, made or taken up from what was kept of it; frames and task are commitments.
register(
    "generation.shot",
    required={
        "film": str,
        "shot": int,
        "source": str,  # made or kept
        "frames": Hex64,
        "task": Hex64,
        "model": str,
        "model_version": str,
        "weights": str,
    },
)
register("generation.ready", required={"sha256": Hex64, "manifest": Hex64, "asset_entry": int, "record": str})
register("generation.failed", required={"stage": str, "code": str, "attempt": int})
register("generation.cancelled", required={"stage": str})
register("generation.published", required={"sha256": Hex64, "record": str})
register(
    "generation.rewrite_decided",
    required={
        "decision": str,  # accepted, edited or refused
        "brand": str,
        "people": int,
        "original": Hex64,
        "proposed": Hex64 | None,
        "edited": Hex64 | None,
        "reason": Hex64 | None,
        "target": Hex64,  # the brand's target shares, named by their hash
    },
)
register("generation.demographics_changed", required={"subject": str, "brand": str, "reason": Hex64})
# A shot that did not show its prompt is made again; `agreement` is the one that was too low.
register("generation.retried", required={"seed": str, "try": int, "agreement": str, "below": str})
register("quality.opinion", required={"up": bool, "tags": list})
register("quality.preferred", required={"over": str})
# A rendition is a request of its own; its asset has the entries of any clip.
register(
    "generation.rendition_requested",
    required={"master": str, "master_sha256": Hex64, "size": str, "format": str, "parts": int},
)
# A film: `storyboard` commits to the version's whole text, so an editor can show what it said and when.
_VERSION = {"version": int, "change": str, "shots": list, "storyboard": Hex64}
register(
    "film.created", required={**_VERSION, "brief": Hex64 | None, "brand": str, "profile": str, "seed": str}
)
register("film.changed", required=_VERSION)
register("film.step", required={"step": str, "version": int, "run": int, "request": str | None})
register("film.step_decided", required={"step": str, "version": int, "decision": str, "reason": Hex64 | None})
# One recording for a dataset, taken in or refused; `source` and `manifest` are SHA-256 of files.
_INGEST = {
    "source": Hex64,
    "licence": str,
    "consent": str,  # "no people", or how many
    "shots": int,
    "kept": int,
    "left_out": dict,
    "not_checked": dict,
    "code": str,  # why it was refused, "" where it was not
    "manifest": Hex64,
}
register("curation.ingested", required=_INGEST)
register("curation.refused", required=_INGEST)
_TUNING = {
    "lora": str,
    "base": Hex64,
    "data": Hex64,  # the dataset's manifest
    "stage": str,
    "recipe": Hex64,  # SHA-256 of the recipe in the LoRA's card
    "step": int,
}
register("finetune.started", required=_TUNING)
register("finetune.finished", required={**_TUNING, "sha256": Hex64, "licence": str})
