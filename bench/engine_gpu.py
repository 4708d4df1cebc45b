"""The true architecture of Wan2.1-1.3B with random weights, on a GPU: ours against diffusers at its best.

Random weights cost what trained ones cost. They are saved and loaded again by each side's own loader, so that
the parts that are shipped in float32 stay so. The text encoder is one small layer of the right width: it runs
once a clip. The pipeline's baseline gets each of diffusers' documented means that loses nothing (bfloat16,
compiled blocks, attention backends) and its quickest setting counts. Nothing here was run on a GPU by its
authors: the code is tested on a CPU with a tiny model (tests/unit/test_bench_engine.py).
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench import responsibility
from bench.results_file import Results
from byline.audit.base import heavy
from byline.generation.engines import pulling, registry, weights
from byline.generation.engines.attention import BACKENDS, LOSSY
from byline.generation.engines.base import VideoTask
from byline.generation.engines.diffusion import DiffusionEngine

TFLOP_PER_FORWARD = 283.0  # one pass of the 1.3 B transformer at 480 x 832 x 81
MODEL = "wan2.1-1.3b-random"
PROMPT = "a boat on a lake at dawn"
_EXACT = tuple(name for name in BACKENDS if name not in ("auto", "flex", "flash_varlen", *LOSSY))


@dataclass(frozen=True)
class Shape:
    """What is built and asked of it; the defaults are Wan2.1-1.3B as published."""

    transformer: dict[str, Any] = field(
        default_factory=lambda: {
            "patch_size": (1, 2, 2), "num_attention_heads": 12, "attention_head_dim": 128,
            "in_channels": 16, "out_channels": 16, "text_dim": 4096, "freq_dim": 256, "ffn_dim": 8960,
            "num_layers": 30, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "eps": 1e-6,
            "rope_max_seq_len": 1024,
        }
    )  # fmt: skip
    vae: dict[str, Any] = field(default_factory=dict)  # diffusers' defaults are the published ones
    width: int = 832
    height: int = 480
    frames: int = 81
    steps: int = 10
    rounds: int = 3
    dtype: str = "bfloat16"


def measure(results: Results, *, quick: bool) -> None:
    """All rows that need a GPU."""
    shape = Shape(rounds=1 if quick else 3)
    with tempfile.TemporaryDirectory(prefix="byline-bench-") as scratch:
        folder = Path(scratch)
        build(shape, folder)
        limit = matmul_rate("cuda")
        _speed(results, shape, folder, limit)
        _decoder(results, shape, folder)
        _tax(results, shape, folder, 1 if quick else 3)


def build(shape: Shape, folder: Path) -> None:
    """A saved checkpoint with random weights, its registry entry, pulled and pinned like any other.

    Needs the settings MODELS_DIR and MODEL_REGISTRY to point at folder/models and folder/registry, which it
    sets for this process."""
    from django.conf import settings

    settings.BYLINE = {**settings.BYLINE, **places(folder)}
    torch, diffusers, transformers = (heavy.load(name) for name in ("torch", "diffusers", "transformers"))
    torch.manual_seed(0)
    width = shape.transformer["text_dim"]
    encoder = transformers.UMT5EncoderModel(
        transformers.UMT5Config(
            vocab_size=64,
            d_model=width,
            d_kv=16,
            d_ff=64,
            num_layers=1,
            num_heads=2,
            is_encoder_decoder=False,
        )
    )
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
    )
    pipeline = diffusers.WanPipeline(
        tokenizer=_tokenizer(transformers),
        text_encoder=encoder.eval(),
        transformer=diffusers.WanTransformer3DModel(**shape.transformer).eval(),
        vae=diffusers.AutoencoderKLWan(**shape.vae).eval(),
        scheduler=scheduler,
    )
    pipeline.save_pretrained(folder / "saved")
    (folder / "registry").mkdir()
    (folder / "registry" / "random.yaml").write_text(yaml.safe_dump({MODEL: _entry(shape)}))
    made = registry.entry(MODEL)
    pulling.pull(made, source=folder / "saved")
    weights.pin(made)


def places(folder: Path) -> dict[str, str]:
    return {"MODELS_DIR": str(folder / "models"), "MODEL_REGISTRY": str(folder / "registry")}


def matmul_rate(device: str, size: int = 8192, rounds: int = 30) -> float:
    """TFLOP/s of a bfloat16 matrix product on this device: the limit that the transformer is held against."""
    torch = heavy.load("torch")
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    took = timed(lambda: [a @ b for _ in range(rounds)], device)
    return float(2 * size**3 * rounds / took / 1e12)


def step_seconds(run: Callable[[int], Any], steps: int, rounds: int, device: str) -> list[float]:
    """Seconds of one step: clips of many and of one step, so that everything but the steps drops out."""
    run(1)  # compiles, tunes, allocates
    return [
        (timed(lambda: run(steps + 1), device) - timed(lambda: run(1), device)) / steps for _ in range(rounds)
    ]


def plain_pipeline(shape: Shape, folder: Path, device: str) -> Any:
    """diffusers' pipeline as its documentation loads it: bfloat16, the autoencoder in float32."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    vae = diffusers.AutoencoderKLWan.from_pretrained(folder / "saved" / "vae", dtype=torch.float32)
    made = diffusers.WanPipeline.from_pretrained(
        str(folder / "saved"), vae=vae, dtype=getattr(torch, shape.dtype)
    )
    made.set_progress_bar_config(disable=True)
    return made.to(device)


def run_plain(pipeline: Any, shape: Shape, steps: int, output: str = "latent") -> Any:
    torch = heavy.load("torch")
    return pipeline(
        prompt=PROMPT, negative_prompt="", width=shape.width, height=shape.height, num_frames=shape.frames,
        num_inference_steps=steps, guidance_scale=5.0, max_sequence_length=16, output_type=output,
        generator=torch.Generator("cpu").manual_seed(0),
    ).frames  # fmt: skip


def timed(make: Callable[[], Any], device: str) -> float:
    """Seconds, the device waited for on both sides."""
    cuda = heavy.load("torch").cuda
    wait = cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    started = time.perf_counter()
    make()
    wait()
    return time.perf_counter() - started


class Dressed(DiffusionEngine):
    """Samples and decodes with the random model, and hands on a drawn clip of the same size: noise would be
    held by the screening, and later stages cost what they cost on pictures."""

    def generate(self, task: VideoTask, *given: Any, **named: Any) -> np.ndarray:
        return drawn(super().generate(task, *given, **named).shape)

    def stream(self, task: VideoTask, *given: Any, **named: Any) -> Any:
        yield drawn(np.concatenate(list(super().stream(task, *given, **named))).shape)


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """A thin cross that moves over a quiet ground."""
    count, height, width, _ = shape
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    ground = 110 + 30 * np.sin(x / 37 + y / 23)[..., None] + rng.normal(0, 8, (height, width, 3))
    frames = np.empty(shape, np.uint8)
    for number in range(count):
        across, down = abs(x - width * (0.2 + 0.6 * number / count)), abs(y - height * 0.5)
        near, far = np.minimum(across, down), np.maximum(across, down)
        cross = ((near < height * 0.05) & (far < height * 0.3))[..., None]
        frames[number] = np.clip(np.where(cross, (200, 60, 40), ground), 0, 255)
    return frames


def best_setting(
    pipeline: Any, shape: Shape, device: str, backends: tuple[str, ...] = _EXACT
) -> tuple[str, dict[str, float]]:
    """Set the quickest of diffusers' exact attention backends, with and without compiled blocks; its name,
    and the seconds of a step of each that runs here. Compiled blocks stay compiled."""
    tried: dict[str, float] = {}
    for compiled in (False, True):
        if compiled:
            pipeline.transformer.compile_repeated_blocks(fullgraph=True)
        for backend in backends:
            try:
                pipeline.transformer.set_attention_backend(backend)
                (took,) = step_seconds(lambda n: run_plain(pipeline, shape, n), 2, 1, device)
            except Exception:  # noqa: BLE001  not installed or not for this board
                took = float("inf")
            tried[f"{backend}{', compiled' if compiled else ''}"] = took
    tried = {name: took for name, took in tried.items() if took < float("inf")}
    best = min((name for name in tried if "compiled" in name), key=lambda name: tried[name])
    pipeline.transformer.set_attention_backend(best.partition(",")[0])
    return best, tried


def _speed(results: Results, shape: Shape, folder: Path, limit: float) -> None:
    """Denoising and end to end: the baseline's best setting, then both in turns."""
    engine = DiffusionEngine(MODEL=MODEL, COMPILE=True, DEVICE="cuda")
    pipeline = plain_pipeline(shape, folder, "cuda")
    best, tried = best_setting(pipeline, shape, "cuda")

    def ours(steps: int) -> Any:
        return engine.generate(VideoTask(PROMPT, seed=0, steps=steps))

    def theirs(steps: int) -> Any:
        return run_plain(pipeline, shape, steps, "np")

    steps: dict[str, list[float]] = {"ours": [], "theirs": []}
    whole: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(shape.rounds):
        for name, run in (("ours", ours), ("theirs", theirs)):
            steps[name] += step_seconds(run, shape.steps, 1, "cuda")
            whole[name].append(timed(lambda run=run: run(shape.steps), "cuda"))
    a, b = statistics.median(steps["ours"]), statistics.median(steps["theirs"])
    rate = 2 * TFLOP_PER_FORWARD / a  # with the prompt and without it
    spread = {"n": shape.rounds, "low": min(steps["ours"]), "high": max(steps["ours"])}
    note = f"baseline: {best}; tried: {json.dumps(tried)}"
    results.add("denoise_s_per_step", a, unit="s, guidance on", baseline=b, **spread, note=note)
    results.add("denoise_tflops", rate, unit="TFLOP/s", better="higher", baseline=2 * TFLOP_PER_FORWARD / b)
    results.add("bf16_matmul_tflops", limit, unit="TFLOP/s, 8192 cubed", better="higher")
    results.add("share_of_limit", rate / limit, n=shape.rounds, note=str(engine.record.get("attention")))
    results.add("vs_diffusers_best", b / a, n=shape.rounds, note=f"denoising, lossless; baseline: {best}")
    results.add(
        "end_to_end_s",
        statistics.median(whole["ours"]),
        unit=f"s, {shape.steps} steps and decoding",
        n=shape.rounds,
        baseline=statistics.median(whole["theirs"]),
        low=min(whole["ours"]),
        high=max(whole["ours"]),
    )
    engine.unload()


def _decoder(results: Results, shape: Shape, folder: Path) -> None:
    """The autoencoder in float16 against float32 on the same latents: time and distance."""
    from bench.engine import half_precision

    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    vae = diffusers.AutoencoderKLWan.from_pretrained(folder / "saved" / "vae").to("cuda").eval()
    size = (1, 16, (shape.frames - 1) // 4 + 1, shape.height // 8, shape.width // 8)
    latents = [torch.randn(size, device="cuda") for _ in range(shape.rounds + 1)]
    distances, faster = half_precision(torch, vae, latents, "float16")
    results.add("vae_vs_fp32", faster, n=len(latents), note=f"float16; PSNR {min(distances):.1f} dB at worst")


def _tax(results: Results, shape: Shape, folder: Path, count: int) -> None:
    entry = {"CLASS": "bench.engine_gpu.Dressed", "CONFIG": {"MODEL": MODEL, "COMPILE": True}}
    environment = {f"BYLINE_{name}": value for name, value in places(folder).items()}
    environment["BYLINE_VIDEO_ENGINES"] = json.dumps({"default": entry})
    _, clips = responsibility.measured(count, seconds=5, environment=environment)
    found = [responsibility.share(clip) for clip in clips]
    strict = statistics.mean(responsibility.strict(clip) for clip in clips)
    note = f"over engine and speech, 5 s clip, 50 steps; strictly, compose and encode too: {strict:.3f}"
    results.add("tax_gpu", statistics.mean(found), n=count, low=min(found), high=max(found), note=note)


def _entry(shape: Shape) -> dict[str, Any]:
    return {
        "family": "wan", "repository": "bench/random", "revision": "unpinned", "licence": "CC0-1.0",
        "licence_url": "https://creativecommons.org/publicdomain/zero/1.0/",
        "training_data": "none: random weights", "operations": ["text_to_video"],
        "sizes": [[shape.width, shape.height]], "fps": 16, "steps": 50, "guidance": 5.0,
        "parameters": "1.3 B", "vram_gib": 16,
        "frames": {"default": shape.frames, "most": 129, "step": 4, "offset": 1},
        "vram_source": "estimate", "float32_parts": ["vae"], "max_tokens": 16, "dtype": shape.dtype,
    }  # fmt: skip


def _tokenizer(transformers: Any) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "</s>": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", eos_token="</s>"
    )
