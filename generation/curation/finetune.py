"""LoRA fine-tuning of a text-to-video transformer on a dataset that may be learned from.

Promises: the dataset is read by `dataset.verified`, so every clip is licensed, consented and in the log;
base and data are named by hash in the LoRA's card and in the log, at the start and at the end; a job that
was stopped goes on at its last saved step and comes to the same weights as one that was not; the weights
are a file that generation/engines/loras.py loads. Flow matching, as the Wan family and the starter were
trained: every draw of a step comes from the recipe's seed and the step's number. Leaves out models with two
transformers (Wan 2.2 A14B), image conditioning, and more than one machine.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit import log
from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, InvalidInput, MissingWeights
from byline.generation.curation import captions, dataset, recipe
from byline.generation.curation.recipe import Recipe
from byline.generation.engines import registry
from byline.generation.engines.base import Operation
from byline.provenance import decode

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
_SAVE_EVERY = 50
_UNSEEN = 16
_STATE = "state.pt"
_KEY = 4  # the starter's latents hold every fourth frame, each by itself


class JobChanged(InvalidInput):
    """What the job depends on is no longer what it began with."""

    code = "job_changed"
    status = 409
    help = "Begin a new job under another name, or bring back the recipe, the base and the data."


@dataclass
class Base:
    """A checkpoint that is ready to learn. `by_keyframes` says that the autoencoder takes single frames."""

    pipeline: Any
    model: str
    sha256: str
    licence: str
    max_tokens: int
    frames: int
    width: int
    height: int
    fps: float
    by_keyframes: bool


def opened(name: str) -> Base:
    """The base by the engine that would run it. ConfigurationError for a model that this job cannot train."""
    if name in registry.entries():
        from byline.generation.engines.diffusion import DiffusionEngine

        entry = registry.entry(name)
        if entry.family_name != "wan" or Operation.TEXT_TO_VIDEO not in entry.operations:
            raise ConfigurationError(
                f"{name} is no Wan text-to-video model", help="Fine-tune a Wan model or the starter."
            )
        large = DiffusionEngine(MODEL=name)
        info, pipeline = large.info, large._pipeline(Operation.TEXT_TO_VIDEO)
        tokens, keys = entry.max_tokens, False
    else:
        from byline.generation.engines.wan import WanEngine

        small = WanEngine(MODEL=name)
        info, pipeline = small.info, small._pipeline
        tokens, keys = small.max_tokens, small._needs_minilm
    if getattr(pipeline, "transformer_2", None) is not None:
        raise ConfigurationError(f"{name} has two transformers; this job trains models with one")
    return Base(
        pipeline, info.name, info.weights_sha256, info.licence, tokens,
        info.frames, info.width, info.height, info.fps, keys,
    )  # fmt: skip


@dataclass
class _Examples:
    """Normalised latents (N, z, t, h, w), prompt embeddings (N, L, d) and the empty prompt's, in memory."""

    latents: Any
    words: Any
    none: Any


def run(
    given: Recipe,
    *,
    actor: str,
    progress: Callable[[float], None] = lambda share: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Train, or go on training, and give the LoRA's card; None where `stop` ended it early.

    RecipeInvalid, DatasetRefused, JobChanged, MissingWeights without peft.
    """
    given.check()
    torch = heavy.load("torch")
    data = dataset.verified(given.dataset)
    base = opened(given.base)
    place = given.place
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = _facts(given, base, data)
    state = _resumed(place, given, facts)
    transformer = _with_lora(base.pipeline.transformer, given)
    parameters = [p for p in transformer.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=given.rate, betas=(0.9, 0.99), weight_decay=0.01)
    step = 0
    if state is not None:
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(transformer, state["lora"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    examples = _encoded(base, data, given)
    shift = _shift(base.pipeline)
    before = state["before"] if state is not None else _unseen(transformer, examples, given, shift)
    _log("finetune.started", given, facts, actor, step)
    while step < given.steps and not stop():
        loss = _step(transformer, examples, given, step, shift)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        if step % _SAVE_EVERY == 0 or step == given.steps:
            _save(place, transformer, optimiser, step, before, facts)
        progress(step / given.steps)
    if step < given.steps:
        _save(place, transformer, optimiser, step, before, facts)
        return None
    file = _write(base.pipeline, transformer, place, given)
    made = recipe.card(given, facts["base"], facts["data"], file) | {
        "loss_before": before,
        "loss_after": _unseen(transformer, examples, given, shift),
    }
    dataset.replace(place / "card.json", json.dumps(made, indent=1, sort_keys=True) + "\n")
    dataset.replace(place / "CARD.md", recipe.text(made, place))
    _log("finetune.finished", given, facts, actor, step, sha256=made["sha256"], licence=made["licence"])
    return made


def _facts(given: Recipe, base: Base, data: dataset.Dataset) -> dict[str, Any]:
    rows = data.rows
    sources = sorted({f"{row['source']} ({row['licence']}) {row['terms']}".strip() for row in rows})
    return {
        "recipe": given.sha256,
        "base": {"model": base.model, "sha256": base.sha256, "licence": base.licence},
        "data": {
            "dataset": data.name,
            "manifest": data.sha256,
            "clips": len(rows),
            "licences": sorted({row["licence"] for row in rows}),
            "sources": sources,
        },
    }


def _log(kind: str, given: Recipe, facts: dict[str, Any], actor: str, step: int, **more: str) -> None:
    log.append(
        kind,
        subject=f"lora:{given.name}",
        actor=actor,
        payload={
            "lora": given.name,
            "base": facts["base"]["sha256"],
            "data": facts["data"]["manifest"],
            "stage": given.stage,
            "recipe": given.sha256,
            "step": step,
            **more,
        },
    )


def _resumed(place: Path, given: Recipe, facts: dict[str, Any]) -> dict[str, Any] | None:
    """The saved state, None at the beginning. JobChanged when it belongs to something else."""
    torch = heavy.load("torch")
    file = place / _STATE
    if not file.is_file():
        dataset.replace(place / "recipe.json", json.dumps(asdict(given), indent=1, sort_keys=True) + "\n")
        return None
    state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    held = json.loads(state["facts"])
    for what, said in (("recipe", "the recipe"), ("base", "the base"), ("data", "the data")):
        if held[what] != facts[what]:
            raise JobChanged(f"{said} of {given.name} changed since the job began")
    return state


def _with_lora(transformer: Any, given: Recipe) -> Any:
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise MissingWeights(
            "LoRA weights need peft", help="Run `pip install 'byline[curation]'`."
        ) from error
    torch = heavy.load("torch")
    transformer.requires_grad_(False)
    with torch.random.fork_rng():
        torch.manual_seed(given.seed)
        transformer.add_adapter(
            LoraConfig(r=given.rank, lora_alpha=given.rank, target_modules=list(TARGETS), lora_dropout=0.0)
        )
    return transformer.train()


def _encoded(base: Base, data: dataset.Dataset, given: Recipe) -> _Examples:
    """Every clip as latents, every caption as the vectors that the pipeline would make of it."""
    torch = heavy.load("torch")
    frames, width, height = (
        given.frames or base.frames, given.width or base.width, given.height or base.height,
    )  # fmt: skip
    vae = base.pipeline.vae
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    latents, texts = [], []
    for row in data.rows:
        told = captions.for_training(row["captions"])
        if not told:
            continue
        clip = _pictures(data.clip(row), frames, width, height, base.fps)
        x = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].to(vae.device, vae.dtype) / 127.5 - 1
        with torch.no_grad():
            if base.by_keyframes:
                singles = x[:, :, ::_KEY].transpose(1, 2).flatten(0, 1)[:, :, None]
                z = vae.encode(singles).latent_dist.mode()[:, :, 0].transpose(0, 1)[None]
            else:
                z = vae.encode(x).latent_dist.mode()
        latents.append((z.float().cpu() - mean) / std)
        texts.append(told[row["frames"] % len(told)])
    if not latents:
        raise dataset.DatasetRefused(f"no clip of {data.name} has a caption", help="Ingest with --caption.")
    words = [_embedded(base, text) for text in [*texts, ""]]
    return _Examples(torch.cat(latents), torch.cat(words[:-1]), words[-1])


def _embedded(base: Base, text: str) -> Any:
    torch = heavy.load("torch")
    with torch.no_grad():
        found, _ = base.pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=base.max_tokens
        )
    return found.float().cpu()


def _pictures(file: Path, frames: int, width: int, height: int, fps: float) -> NDArray[np.uint8]:
    """(frames, height, width, 3) of a clip from its beginning, at the model's rate or as quick as it takes;
    cropped in the middle to the model's aspect."""
    import cv2

    media = decode.decode_untrusted(file)
    last = len(media.frames) - 1
    at = np.minimum(np.arange(frames) / fps * media.fps, np.linspace(0, last, frames))
    out = []
    for k in at.round().astype(int):
        picture = media.frames[min(k, last)]
        h, w = picture.shape[:2]
        scale = max(width / w, height / h)
        crop_w, crop_h = min(w, round(width / scale)), min(h, round(height / scale))
        x, y = (w - crop_w) // 2, (h - crop_h) // 2
        cut = np.ascontiguousarray(picture[y : y + crop_h, x : x + crop_w])
        out.append(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA))
    return np.stack(out)


def _shift(pipeline: Any) -> float:
    """How far the model's schedule leans towards noise, as its scheduler says."""
    config = pipeline.scheduler.config
    return float(getattr(config, "flow_shift", None) or getattr(config, "shift", None) or 1.0)


def _step(transformer: Any, examples: _Examples, given: Recipe, step: int, shift: float) -> Any:
    """The loss of one step: predict noise - clip at a random time (rectified flow)."""
    torch = heavy.load("torch")
    draw = torch.Generator().manual_seed(given.seed * 1_000_003 + step)
    which = torch.randint(len(examples.latents), (given.batch,), generator=draw)
    x0, words = examples.latents[which], examples.words[which].clone()
    words[torch.rand(given.batch, generator=draw) < given.caption_dropout] = examples.none[0]
    times = torch.sigmoid(torch.randn(given.batch, generator=draw))
    times = shift * times / (1 + (shift - 1) * times)
    noise = torch.randn(x0.shape, generator=draw)
    at = times.view(-1, 1, 1, 1, 1)
    device = next(transformer.parameters()).device
    kind = transformer.patch_embedding.weight.dtype  # the base's; LoRA weights stay float32
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=kind == torch.bfloat16):
        out = transformer(
            hidden_states=((1 - at) * x0 + at * noise).to(device, kind),
            timestep=(times * 1000).to(device),
            encoder_hidden_states=words.to(device, kind),
            return_dict=False,
        )[0]
    return (out.float() - (noise - x0).to(device)).square().mean()


def _unseen(transformer: Any, examples: _Examples, given: Recipe, shift: float) -> float:
    """Mean loss over a few draws of noise and time that no step makes: of fit to the data, not of quality."""
    torch = heavy.load("torch")
    with torch.no_grad():
        found = [float(_step(transformer, examples, given, given.steps + k, shift)) for k in range(_UNSEEN)]
    return round(sum(found) / len(found), 5)


def _save(
    place: Path, transformer: Any, optimiser: Any, step: int, before: float, facts: dict[str, Any]
) -> None:
    from peft.utils import get_peft_model_state_dict

    torch = heavy.load("torch")
    private = place / f".{_STATE}.part"
    torch.save(
        {
            "lora": get_peft_model_state_dict(transformer),
            "optimiser": optimiser.state_dict(),
            "step": step,
            "before": before,
            "facts": json.dumps(facts),
        },
        private,
    )
    os.replace(private, place / _STATE)


def _write(pipeline: Any, transformer: Any, place: Path, given: Recipe) -> Path:
    from peft.utils import get_peft_model_state_dict

    layers = {key: value.float().cpu() for key, value in get_peft_model_state_dict(transformer).items()}
    type(pipeline).save_lora_weights(
        str(place), transformer_lora_layers=layers, weight_name=f"{given.name}.safetensors"
    )
    return place / f"{given.name}.safetensors"


def merged(name: str, folder: Path) -> Path:
    """The base with the LoRA in its weights, as a folder for WanEngine's MODEL; for bases that are folders.

    InvalidInput where the job has not ended or its base is a model of the registry.
    """
    given = recipe.read(Recipe(name, "-", "-").place)
    file = given.place / f"{name}.safetensors"
    if not file.is_file() or given.base in registry.entries():
        raise InvalidInput(
            f"{name} is not finished, or its base takes the LoRA as it is",
            help="Name it in the engine's LORAS.",
        )
    pipeline = opened(given.base).pipeline
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=name)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()

    from byline.generation.engines.wan import WanEngine

    shutil.copytree(WanEngine(MODEL=given.base).config.folder, folder)
    shutil.rmtree(folder / "transformer")
    pipeline.transformer.save_pretrained(folder / "transformer")
    return folder
