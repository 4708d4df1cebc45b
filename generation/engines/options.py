"""How a model is run: precision, memory and speed. Every choice is recorded, and lossy ones say so.

The defaults change nothing in the result: bf16 where the makers run bf16, the native attention, the
whole autoencoder, all parts in memory while they fit. What trades quality is off unless asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.engines.config import require
from byline.generation.engines.registry import DTYPES, ModelEntry

ATTENTION = (
    "auto",
    "native",
    "flex",
    "flash",
    "_flash_3",
    "flash_varlen",
    "sage",
    "xformers",
    "_native_cudnn",
)
LOSSY_ATTENTION = ("sage",)  # eight-bit products
OFFLOAD = ("auto", "none", "model", "sequential", "group")
HEADROOM = 1.1  # of the registry's figure, before "auto" keeps everything on the device


@dataclass(frozen=True)
class Options:
    """Part of an engine's CONFIG. `STEP_CACHE` is the threshold of diffusers' first-block cache, 0 off:
    steps whose first block changes less reuse the rest. `FP8_STORAGE` keeps weights in eight bits."""

    DEVICE: str = "auto"  # "auto", "cpu", "cuda", "cuda:1"
    DTYPE: str = "auto"  # "auto": the registry's on a GPU, float32 on a CPU
    ATTENTION: str = "auto"  # a backend of diffusers; "auto" leaves the model's own
    COMPILE: bool = False  # torch.compile of the repeated blocks; the first clip takes minutes longer
    VAE_TILING: bool = False
    VAE_SLICING: bool = False
    OFFLOAD: str = "auto"
    STEP_CACHE: float = 0.0
    FP8_STORAGE: bool = False

    def check(self, engine: str) -> None:
        """Raise ConfigurationError for a value that means nothing."""
        require(
            engine,
            (re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.DEVICE) is not None, "DEVICE is not known"),
            (self.DTYPE in ("auto", *DTYPES), "DTYPE is not known"),
            (self.ATTENTION in ATTENTION, f"ATTENTION is one of {', '.join(ATTENTION)}"),
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
    done: dict[str, Any] = {"device": device, "dtype": dtype, "attention": options.ATTENTION, "lossy": []}
    denoisers = [d for name in entry.family.denoisers if (d := getattr(pipeline, name, None)) is not None]
    if dtype not in (entry.dtype, "float32"):
        done["lossy"].append(f"dtype {dtype}, made for {entry.dtype}")
    if options.ATTENTION != "auto":
        _attention(denoisers, options.ATTENTION, done)
    if options.VAE_TILING or entry.family_name == "allegro":  # Allegro decodes in tiles only
        _vae(pipeline, "enable_tiling", "VAE_TILING")
        done["vae_tiling"] = True
        if options.VAE_TILING:
            done["lossy"].append("vae tiling: blended seams")
    if options.VAE_SLICING:
        _vae(pipeline, "enable_slicing", "VAE_SLICING")
        done["vae_slicing"] = True
    if options.FP8_STORAGE:
        for denoiser in denoisers:
            denoiser.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=getattr(torch, dtype)
            )
        done["lossy"].append("weights stored in eight bits")
    if options.STEP_CACHE:
        _step_cache(denoisers, options.STEP_CACHE)
        done["lossy"].append(f"first-block cache at {options.STEP_CACHE:g}")
    done["offload"] = _place(pipeline, entry, options, device, torch)
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


def _attention(denoisers: list[Any], backend: str, done: dict[str, Any]) -> None:
    for denoiser in denoisers:
        processors = [getattr(module, "processor", None) for module in denoiser.modules()]
        if not any(hasattr(processor, "_attention_backend") for processor in processors):
            raise ConfigurationError(  # diffusers would take the call and change nothing
                f"{type(denoiser).__name__} has one attention only", help="Leave ATTENTION at auto."
            )
        try:
            denoiser.set_attention_backend(backend)
        except (RuntimeError, ImportError, ValueError) as error:
            raise ConfigurationError(
                f"attention backend {backend!r} does not work here",
                help="Install its package or leave ATTENTION at auto.",
            ) from error
    if backend in LOSSY_ATTENTION:
        done["lossy"].append(f"attention {backend}: eight-bit products")


def _vae(pipeline: Any, method: str, setting: str) -> None:
    if not hasattr(pipeline.vae, method):
        raise ConfigurationError(
            f"{type(pipeline.vae).__name__} cannot do {setting}", help=f"Leave {setting} out for this model."
        )
    getattr(pipeline.vae, method)()


def _step_cache(denoisers: list[Any], threshold: float) -> None:
    from byline.audit.base import heavy

    hooks = heavy.load("diffusers.hooks")
    for denoiser in denoisers:
        if not hasattr(denoiser, "enable_cache"):
            raise ConfigurationError(
                f"{type(denoiser).__name__} has no step cache", help="Leave STEP_CACHE out for this model."
            )
        denoiser.enable_cache(hooks.FirstBlockCacheConfig(threshold=threshold))


def _place(pipeline: Any, entry: ModelEntry, options: Options, device: str, torch: Any) -> str:
    """Move the pipeline to its device, whole or in parts, and say which."""
    mode = options.OFFLOAD
    if device == "cpu":
        if mode not in ("auto", "none"):
            raise ConfigurationError("there is nothing to offload to from a CPU", help="Leave OFFLOAD out.")
        pipeline.to("cpu")
        return "none"
    if not torch.cuda.is_available():
        raise MissingWeights("no GPU is at hand", help="Set DEVICE to cpu, or run this worker where one is.")
    if mode == "auto":
        free, _ = torch.cuda.mem_get_info(device)
        mode = "none" if free > entry.vram_gib * HEADROOM * 2**30 else "model"
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
    return mode
