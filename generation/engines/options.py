"""How a model is run: precision, memory and speed. Every choice is recorded, and lossy ones say so.

The defaults change nothing in the result: bf16 where the makers run bf16, exact attention, the whole
autoencoder as the makers run it, all parts in memory while they fit. What trades quality is off unless
asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.engines import attention
from byline.generation.engines.config import require
from byline.generation.engines.registry import DTYPES, ModelEntry

OFFLOAD = ("auto", "none", "model", "sequential", "group")
MAX_BATCH = 16
HEADROOM = 1.1  # of the registry's figure, before "auto" keeps everything on the device


@dataclass(frozen=True)
class Options:
    """Part of an engine's CONFIG. `STEP_CACHE` is the threshold of diffusers' first-block cache, 0 off:
    steps whose first block changes less reuse the rest. `FP8_STORAGE` keeps weights in eight bits.
    `BATCH` is how many equal jobs (takes and shots of one length and size) go through the model at once."""

    DEVICE: str = "auto"  # "auto", "cpu", "cuda", "cuda:1"
    DTYPE: str = "auto"  # "auto": the registry's on a GPU, float32 on a CPU
    ATTENTION: str = "auto"  # a backend of diffusers; "auto" takes the quickest exact one
    COMPILE: bool = False  # torch.compile of the repeated blocks; the first clip takes minutes longer
    VAE_TILING: bool = False
    VAE_SLICING: bool = False
    VAE_DTYPE: str = "auto"  # "auto": the registry's
    BATCH: int = 1
    OFFLOAD: str = "auto"
    STEP_CACHE: float = 0.0
    FP8_STORAGE: bool = False

    def check(self, engine: str) -> None:
        """Raise ConfigurationError for a value that means nothing."""
        require(
            engine,
            (re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.DEVICE) is not None, "DEVICE is not known"),
            (self.DTYPE in ("auto", *DTYPES), "DTYPE is not known"),
            (
                self.ATTENTION in attention.BACKENDS,
                f"ATTENTION is one of {', '.join(attention.BACKENDS)}",
            ),
            (self.VAE_DTYPE in ("auto", *DTYPES), "VAE_DTYPE is not known"),
            (1 <= self.BATCH <= MAX_BATCH, f"BATCH is 1 to {MAX_BATCH}"),
            (self.OFFLOAD in OFFLOAD, f"OFFLOAD is one of {', '.join(OFFLOAD)}"),
            (0 <= self.STEP_CACHE <= 1, "STEP_CACHE is 0 (off) to 1"),
        )

    def device(self, torch: Any) -> str:
        return self.DEVICE if self.DEVICE != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")

    def dtype(self, entry: ModelEntry, device: str) -> str:
        if self.DTYPE != "auto":
            return self.DTYPE
        return "float32" if device == "cpu" else entry.dtype


def apply(pipeline: Any, entry: ModelEntry, options: Options, torch: Any) -> dict[str, Any]:
    """Put the options on a loaded pipeline and move it to its device; what was done, JSON-able.

    Raises ConfigurationError when this pipeline or machine cannot do what was asked for.
    """
    device = options.device(torch)
    dtype = options.dtype(entry, device)
    done: dict[str, Any] = {"device": device, "dtype": dtype, "lossy": []}
    denoisers = [d for name in entry.family.denoisers if (d := getattr(pipeline, name, None)) is not None]
    if dtype not in (entry.dtype, "float32"):
        done["lossy"].append(f"dtype {dtype}, made for {entry.dtype}")
    if options.ATTENTION in attention.LOSSY:
        done["lossy"].append(f"attention {options.ATTENTION}: eight-bit products")
    if options.VAE_TILING or entry.family_name == "allegro":  # Allegro decodes in tiles only
        _vae(pipeline, "enable_tiling", "VAE_TILING")
        done["vae_tiling"] = True
        if options.VAE_TILING:
            done["lossy"].append("vae tiling: blended seams")
    if options.VAE_SLICING:
        _vae(pipeline, "enable_slicing", "VAE_SLICING")
        done["vae_slicing"] = True
    if options.VAE_DTYPE != "auto":
        _vae_dtype(pipeline, options.VAE_DTYPE, torch, done)
    if options.FP8_STORAGE:
        for denoiser in denoisers:
            denoiser.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=getattr(torch, dtype)
            )
        done["lossy"].append("weights stored in eight bits")
    if options.STEP_CACHE:
        step_cache(denoisers, options.STEP_CACHE)
        done["lossy"].append(f"first-block cache at {options.STEP_CACHE:g}")
    done |= _place(pipeline, entry, options, device, torch)
    done |= attention.apply(
        denoisers, options.ATTENTION, family=entry.family_name, device=device, torch=torch
    )
    if options.COMPILE:
        for denoiser in denoisers:
            if not getattr(denoiser, "_repeated_blocks", None):
                raise ConfigurationError(
                    f"{type(denoiser).__name__} names no repeated blocks to compile",
                    help="Leave COMPILE out for this model.",
                )
            denoiser.compile_repeated_blocks(fullgraph=True)
        done["compile"] = "repeated blocks"
    return done


def _vae(pipeline: Any, method: str, setting: str) -> None:
    if not hasattr(pipeline.vae, method):
        raise ConfigurationError(
            f"{type(pipeline.vae).__name__} cannot do {setting}", help=f"Leave {setting} out for this model."
        )
    getattr(pipeline.vae, method)()


def _vae_dtype(pipeline: Any, name: str, torch: Any, done: dict[str, Any]) -> None:
    """Another precision for the autoencoder than its makers run; half of it is labelled."""
    usual = str(pipeline.vae.dtype).removeprefix("torch.")
    pipeline.vae.to(dtype=getattr(torch, name))
    if name != "float32":  # tensor cores want the channels last; on a CPU it costs nothing
        for module in pipeline.vae.modules():
            if isinstance(module, torch.nn.Conv3d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
    done["vae_dtype"] = name
    if name not in (usual, "float32"):
        done["lossy"].append(f"autoencoder in {name}, made for {usual}")


def step_cache(denoisers: list[Any], threshold: float) -> None:
    """diffusers' first-block cache. ConfigurationError for a model without it."""
    from byline.audit.base import heavy

    hooks = heavy.load("diffusers.hooks")
    for denoiser in denoisers:
        if not hasattr(denoiser, "enable_cache"):
            raise ConfigurationError(
                f"{type(denoiser).__name__} has no step cache", help="Leave STEP_CACHE out for this model."
            )
        denoiser.enable_cache(hooks.FirstBlockCacheConfig(threshold=threshold))


def _place(pipeline: Any, entry: ModelEntry, options: Options, device: str, torch: Any) -> dict[str, Any]:
    """Move the pipeline to its device, whole or in parts; which, and what decided it."""
    mode, said = options.OFFLOAD, {}
    if device == "cpu":
        if mode not in ("auto", "none"):
            raise ConfigurationError("there is nothing to offload to from a CPU", help="Leave OFFLOAD out.")
        pipeline.to("cpu")
        return {"offload": "none"}
    if not torch.cuda.is_available():
        raise MissingWeights("no GPU is at hand", help="Set DEVICE to cpu, or run this worker where one is.")
    if mode == "auto":
        free = torch.cuda.mem_get_info(device)[0] / 2**30
        needed = entry.vram_gib * HEADROOM
        mode = "none" if free > needed else "model"
        said = {"memory": {"free_gib": round(free, 1), "needed_gib": round(needed, 1)}}
    if mode == "none":
        pipeline.to(device)
    elif mode == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif mode == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.enable_group_offload(
            onload_device=torch.device(device), offload_type="leaf_level", use_stream=True
        )
    return {"offload": mode, **said}
