"""`make bench-engine`: how quickly the models run, what that costs in quality, and what responsibility costs.

On any machine, with the starter: ours and diffusers' own pipeline in turns, stages and responsibility tax,
half precision of the autoencoder, and each lossy mode with its distance from the lossless picture. Where a
GPU is at hand also the true architecture of Wan2.1-1.3B with random weights (engine_gpu.py); without one
those rows say "not measured". `--quick` takes fewer clips.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
django.setup()

from bench import responsibility  # noqa: E402
from bench.results_file import Results  # noqa: E402
from byline.audit.base import heavy  # noqa: E402
from byline.generation.engines.base import VideoTask  # noqa: E402
from byline.generation.engines.wan import WanEngine  # noqa: E402

GPU_ROWS = ("tax_gpu", "vs_diffusers_best", "share_of_limit", "vae_vs_fp32")
LEAST_DB = 55  # of a half-precision decoder that counts
PROMPTS = [prompt for prompt, _ in responsibility.PROMPTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    torch = heavy.load("torch")
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    results = Results("engine", quick=arguments.quick, gpu=gpu)
    count = 2 if arguments.quick else len(PROMPTS)
    if gpu:
        from bench import engine_gpu

        engine_gpu.measure(results, quick=arguments.quick)
    for name in GPU_ROWS:
        if not results.has(name):
            results.add(name, None, note="not measured: no GPU")
    if not results.has("tax_cpu"):
        taxes(results, count)
    engine = WanEngine(DEVICE="cpu")
    if not results.has("vs_diffusers_cpu"):
        against_diffusers(results, engine, count)
    if not results.has("vae_vs_fp32_cpu"):
        autoencoder(results, engine)
    if not results.has("lossless_cpu_s"):
        lossy_modes(results, engine, count)
    results.show()


def taxes(results: Results, count: int) -> None:
    """The stage table of warm clips, and the ratios of responsibility.py."""
    first, clips = responsibility.measured(count)
    for name, median, low, high in responsibility.table(clips):
        note = f"median of 8 s 720p clips; first one {first[name]:.2f} s, with loading"
        results.add(f"stage_{name}_s", median, unit="s", n=count, low=low, high=high, note=note)
    for metric, ratio, says in (
        ("tax_cpu", responsibility.tax, "over engine, speech, enhance, compose and encode"),
        ("tax_cpu_engine", responsibility.share, "over engine and speech"),
        ("tax_cpu_strict", responsibility.strict, "all but engine and speech, compose and encode too"),
    ):
        found = [ratio(clip) for clip in clips]
        note = f"{says}; {responsibility.CORES} cores, warm; first clip {ratio(first):.2f}"
        results.add(metric, statistics.mean(found), n=count, low=min(found), high=max(found), note=note)


def against_diffusers(results: Results, engine: WanEngine, count: int) -> None:
    """Seconds a clip, ours and the plain pipeline on the same weights in turns, and how near they are."""
    torch, c = heavy.load("torch"), engine.config
    engine.load()
    pipeline = heavy.load("diffusers").WanPipeline(**engine._pipeline.components)
    pipeline.set_progress_bar_config(disable=True)

    def plain(prompt: str, seed: int) -> np.ndarray:
        out = pipeline(
            prompt=prompt, negative_prompt="", width=c.WIDTH, height=c.HEIGHT, num_frames=c.FRAMES,
            num_inference_steps=c.STEPS, guidance_scale=c.GUIDANCE, max_sequence_length=engine.max_tokens,
            generator=torch.Generator("cpu").manual_seed(seed), output_type="np",
        ).frames[0]  # fmt: skip
        return np.asarray((np.clip(out, 0.0, 1.0) * 255 + 0.5).astype(np.uint8))

    plain(PROMPTS[0], 0)  # threads and caches of the libraries, for both
    ours, theirs, nearest = [], [], []
    for number in range(count):
        took = {}
        turns: list[tuple[str, Callable[[], np.ndarray]]] = [
            ("ours", lambda n=number: engine.generate(VideoTask(PROMPTS[n], seed=n))),
            ("theirs", lambda n=number: plain(PROMPTS[n], n)),
        ]
        frames = {}
        for name, make in turns if number % 2 else turns[::-1]:
            took[name], frames[name] = timed(make)
        ours.append(took["ours"])
        theirs.append(took["theirs"])
        nearest.append(psnr(frames["ours"], frames["theirs"]) if _same_size(frames) else float("nan"))
    ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
    same = min(nearest)
    results.add(
        "vs_diffusers_cpu", statistics.median(ratios), unit="times as fast", better="higher", n=count,
        low=min(ratios), high=max(ratios),
        note=f"starter on a CPU, in turns; {statistics.median(ours):.2f} s and"
        f" {statistics.median(theirs):.2f} s a clip of {c.FRAMES} frames; {same:.0f} dB between them",
    )  # fmt: skip


def autoencoder(results: Results, engine: WanEngine) -> None:
    """The trained starter's decoder in half precision, against float32 on the same latents."""
    torch = heavy.load("torch")
    engine.load()
    latents = clean_latents(engine, 2)
    quickest = (0.0, "")
    for name in ("bfloat16", "float16"):
        distances, faster = half_precision(torch, engine._pipeline.vae, latents, name)
        results.add(
            f"vae_{name}_psnr", min(distances), unit="dB", better="higher", n=len(distances),
            low=min(distances), high=max(distances),
            note=f"trained starter, {name}, on float32's range; worst clip; {faster:.2f} times as fast",
        )  # fmt: skip
        if min(distances) >= LEAST_DB:
            quickest = max(quickest, (faster, name))
    results.add(
        "vae_vs_fp32_cpu", quickest[0] or None, unit="times as fast", better="higher", n=len(latents),
        note=f"trained starter on this CPU in {quickest[1] or 'no half precision'}, at least {LEAST_DB} dB",
    )  # fmt: skip


def half_precision(torch: Any, vae: Any, latents: list[Any], name: str) -> tuple[list[float], float]:
    """PSNR of each clip with the outputs normalised to float32's range, and how many times as fast it is."""
    distances, whole, half = [], [], []
    kind = getattr(torch, name)
    other = deepcopy(vae).to(kind)
    with torch.no_grad():
        for z in latents:
            took, reference = timed(lambda z=z: vae.decode(z).sample.float())
            whole.append(took)
            took, found = timed(lambda z=z: other.decode(z.to(kind)).sample.float())
            half.append(took)
            low, span = reference.min(), reference.max() - reference.min()
            error = ((found - low) / span - (reference - low) / span).pow(2).mean()
            distances.append(float(-10 * torch.log10(error)))
    return distances, statistics.median(whole) / statistics.median(half)


def clean_latents(engine: WanEngine, count: int) -> list[Any]:
    """What the starter hands to its decoder for some prompts."""
    torch, c = heavy.load("torch"), engine.config
    pipeline, found = engine._pipeline, []
    shape = (1, pipeline.vae.config.z_dim, 1, 1, 1)
    mean = torch.tensor(pipeline.vae.config.latents_mean).view(shape)
    deviation = torch.tensor(pipeline.vae.config.latents_std).view(shape)
    for number in range(count):
        made = pipeline(
            prompt=PROMPTS[number], width=c.WIDTH, height=c.HEIGHT, num_frames=c.FRAMES,
            num_inference_steps=c.STEPS, guidance_scale=c.GUIDANCE, max_sequence_length=engine.max_tokens,
            generator=torch.Generator("cpu").manual_seed(number), output_type="latent",
        ).frames  # fmt: skip
        found.append(made * deviation + mean)
    return found


def lossy_modes(results: Results, engine: WanEngine, count: int) -> None:
    """Each mode that trades quality for time, on the starter: seconds and distance from the lossless clip."""
    from byline.generation.engines import options

    torch = heavy.load("torch")
    engine.load()
    tasks = [VideoTask(prompt, seed=number) for number, prompt in enumerate(PROMPTS[:count])]
    plain = [timed(lambda task=task: engine.generate(task)) for task in tasks]
    seconds = statistics.median(took for took, _ in plain)
    results.add(
        "lossless_cpu_s", seconds, unit="s a clip", n=count, note=f"{engine.config.STEPS} steps, float32"
    )
    transformer = engine._pipeline.transformer

    def report(metric: str, says: str, make: Callable[[VideoTask], np.ndarray]) -> None:
        made = [timed(lambda task=task: make(task)) for task in tasks]
        near = [psnr(frames, whole) for (_, frames), (_, whole) in zip(made, plain, strict=True)]
        took = statistics.median(t for t, _ in made)
        results.add(
            metric, seconds / took, unit="times as fast", better="higher", n=count,
            note=f"{says}: PSNR {statistics.mean(near):.1f} dB to the lossless clip ({min(near):.1f} to"
            f" {max(near):.1f}), {took:.2f} s a clip",
        )  # fmt: skip

    for threshold in (0.05, 0.1, 0.2):
        options.step_cache([transformer], threshold)
        report(f"lossy_step_cache_{threshold:g}", f"first-block cache at {threshold:g}", engine.generate)
        transformer.disable_cache()
    half = engine.config.STEPS // 2
    report("lossy_half_the_steps", f"{half} steps", lambda task: engine.generate(replace(task, steps=half)))
    quick = WanEngine(DEVICE="cpu", VAE_DTYPE="bfloat16")
    quick.load()
    report("lossy_vae_bfloat16", "the autoencoder in bfloat16", quick.generate)
    report("lossy_bfloat16", "bfloat16 throughout", WanEngine(DEVICE="cpu", DTYPE="bfloat16").generate)
    eight = WanEngine(DEVICE="cpu")
    eight.load()
    eight._pipeline.transformer.enable_layerwise_casting(
        storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32
    )
    report("lossy_fp8_storage", "weights stored in eight bits", eight.generate)


def timed(make: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    made = make()
    return time.perf_counter() - started, made


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Decibels between two uint8 clips; 100 where they are equal."""
    error = float(((one.astype(np.float64) - other) ** 2).mean())
    return 100.0 if error == 0 else float(10 * np.log10(255**2 / error))


def _same_size(frames: dict[str, np.ndarray]) -> bool:
    return frames["ours"].shape == frames["theirs"].shape


if __name__ == "__main__":
    main()
