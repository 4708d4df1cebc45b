"""Which implementation of attention a model's blocks use, and which one is quickest here.

"auto" tries the exact ones that are installed on the device that will run, on random numbers of the
model's own kind, and takes the quickest that agrees with PyTorch's. On a CPU, and for models whose
attention is masked, the model's own stays. Eight-bit attention is never chosen, only asked for by name.
"""

from __future__ import annotations

import time
from typing import Any

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError

BACKENDS = (
    "auto",
    "native",
    "flex",
    "flash",
    "_flash_3",
    "flash_varlen",
    "sage",
    "xformers",
    "_native_cudnn",
    "_native_flash",
)
LOSSY = ("sage",)  # eight-bit products
_NATIVE = "native"
_EXACT = ("_flash_3", "flash", "_native_cudnn", "_native_flash")
_UNMASKED = frozenset({"wan"})  # families whose blocks attend to every token of every clip
_TOKENS, _ROUNDS = 8192, 5  # of a trial
_TOLERANCE = 2e-2  # of values that are averages of standard normal ones, in bfloat16


def apply(denoisers: list[Any], wanted: str, *, family: str, device: str, torch: Any) -> dict[str, Any]:
    """Set the backend and say which one it is, JSON-able. ConfigurationError for one that cannot be had."""
    if wanted != "auto":
        require(denoisers, wanted)
        return {"attention": wanted}
    if not device.startswith("cuda") or family not in _UNMASKED or not all(map(_has_choice, denoisers)):
        return {"attention": "the model's own"}
    tried = trial(denoisers[0], _EXACT, device=device, torch=torch)
    best = min(tried, key=lambda name: tried[name])
    if best != _NATIVE:
        require(denoisers, best)
    return {"attention": best, "attention_trial_ms": tried}


def require(denoisers: list[Any], backend: str) -> None:
    """Set a backend that somebody asked for by name. Raises ConfigurationError."""
    for denoiser in denoisers:
        if not _has_choice(denoiser):  # diffusers would take the call and change nothing
            raise ConfigurationError(
                f"{type(denoiser).__name__} has one attention only", help="Leave ATTENTION at auto."
            )
        try:
            denoiser.set_attention_backend(backend)
        except (RuntimeError, ImportError, ValueError) as error:
            raise ConfigurationError(
                f"attention backend {backend!r} does not work here",
                help="Install its package or leave ATTENTION at auto.",
            ) from error


def trial(denoiser: Any, candidates: tuple[str, ...], *, device: str, torch: Any) -> dict[str, float]:
    """Milliseconds of one attention, for PyTorch's own and for each candidate that runs here and agrees."""
    dispatch = heavy.load("diffusers.models.attention_dispatch").dispatch_attention_fn
    config, count = denoiser.config, _TOKENS if device.startswith("cuda") else 64
    heads, width = config.num_attention_heads, config.attention_head_dim
    generator = torch.Generator("cpu").manual_seed(0)
    q, k, v = (
        torch.randn(1, count, heads, width, generator=generator).to(device, denoiser.dtype) for _ in range(3)
    )
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None

    def timed(name: str) -> tuple[float, Any] | None:
        try:
            with torch.no_grad():
                made = dispatch(q, k, v, backend=name)  # the first call also compiles and loads
                wait()
                started = time.perf_counter()
                for _ in range(_ROUNDS):
                    dispatch(q, k, v, backend=name)
                wait()
        except Exception:  # noqa: BLE001  not installed, not for this board, not for this type: not a choice
            return None
        return round(1000 * (time.perf_counter() - started) / _ROUNDS, 3), made

    found = {name: answer for name in (_NATIVE, *candidates) if (answer := timed(name)) is not None}
    expected = found[_NATIVE][1]
    return {
        name: took
        for name, (took, made) in found.items()
        if float((made - expected).abs().max()) <= _TOLERANCE
    }


def _has_choice(denoiser: Any) -> bool:
    processors = [getattr(module, "processor", None) for module in denoiser.modules()]
    return any(hasattr(processor, "_attention_backend") for processor in processors)
