"""Operations on pictures, clips and songs with the engine that is configured: the starter, unless told.

`make bench-operations`. Given material is drawn (bench/operations_clips.py) or made by the engine; truth is
what was taken away. Every figure has its baseline from the same run. `--quick`: one clip of each kind.
"""

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any

import cv2
import django
import numpy as np
import psutil

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
django.setup()

from bench.operations_clips import FPS, FRAMES, SIZE, blend, clicks, drawn, recoloured  # noqa: E402
from bench.results_file import Results  # noqa: E402
from byline.generation import engines  # noqa: E402
from byline.generation.operations import Brief, Inputs, Made, beats, make, measures  # noqa: E402
from byline.generation.operations.between import moved  # noqa: E402
from byline.generation.operations.cutout.flat import FlatMatte  # noqa: E402

PROMPTS = (
    "a red ball moves right in a green meadow",
    "a yellow star stays still at night",
    "a white bird moves left over the sea",
)
TEMPI = (64, 78, 92, 104, 118, 126, 140, 152)
SEAM = "usual step over the step at the seam"
TRUTH = "dB to the frames taken out"


class Bench:
    def __init__(self, engine: str, quick: bool) -> None:
        self.engine, self.count = engines.load(engine), 1 if quick else 3
        self.results = Results("operations", quick=quick)

    def ask(self, name: str, inputs: Inputs, seconds: float = 1.0, which: int = 0, **controls: Any) -> Made:
        sys.stderr.write(f"{name}\n")
        wanted = Brief(PROMPTS[which % len(PROMPTS)], "", 1, seconds, controls)
        return make(name, self.engine, wanted, inputs, lambda fraction: None, lambda: None)

    def add(
        self, metric: str, values: Iterable[float], unit: str, note: str = "",
        baseline: Iterable[float] | None = None, better: str = "higher",
    ) -> None:  # fmt: skip
        found = [float(value) for value in values]
        self.results.add(
            metric, float(np.mean(found)), unit=unit, better=better, n=len(found), note=note,
            low=min(found), high=max(found),
            baseline=None if baseline is None else float(np.mean([*baseline])),
        )  # fmt: skip


def first_frames(bench: Bench) -> None:
    info = bench.engine.info
    window = info.frames / info.fps
    made, words, ends = [], [], []
    for seed in range(bench.count):
        clip = drawn(seed)[0]
        made.append(bench.ask("image_to_video", Inputs(first=clip[0]), window, seed).facts)
        alone = bench.ask("text_to_video", Inputs(), window, seed).shots[0][0]
        small = cv2.resize(clip[0], (info.width, info.height), interpolation=cv2.INTER_AREA)
        words.append(measures.ssim(alone, small))
        ends.append(bench.ask("first_last_frame", Inputs(first=clip[0], last=clip[-1]), window, seed).facts)
    name, note = "image_to_video.first_frame_ssim", "anchored; baseline: words alone"
    bench.add(name, (facts["first_frame_ssim"] for facts in made), "SSIM", note, words)
    bench.add(
        f"{name}_of_model", (f["first_frame_ssim_of_model"] for f in made), "SSIM", "not anchored", words
    )
    name = "first_last_frame.last_frame_ssim"
    bench.add(name, (facts["last_frame_ssim"] for facts in ends), "SSIM", "anchored")
    bench.add(f"{name}_of_model", (f["last_frame_ssim_of_model"] for f in ends), "SSIM", "not anchored")


def seams(bench: Bench) -> None:
    info = bench.engine.info
    for kind in ("drawn", "made"):
        found, cuts = [], []
        for seed in range(bench.count):
            if kind == "drawn":
                clip, fps = drawn(seed)[0], float(FPS)
            else:
                source = bench.ask("text_to_video", Inputs(), info.frames / info.fps, seed)
                clip, fps = source.shots[0], source.fps
            whole = len(clip) / fps + 1.0
            found.append(bench.ask("extend", Inputs(clip=clip, clip_fps=fps), whole, seed).facts)
            other = cv2.resize(drawn(seed + 50)[0][0], clip.shape[2:0:-1])
            cuts.append(measures.continuity(clip, other[None]))
        tries = sum(facts["retries"] for facts in found)
        broken = sum(facts["broken_seams"] for facts in found)
        note = f"{tries} tries more, {broken} seams broken; baseline: a cut to another clip"
        bench.add(f"extend.continuity_{kind}", (facts["continuity"] for facts in found), SEAM, note, cuts)
    links = bench.ask("long_video", Inputs(), 4 * info.frames / info.fps)
    each = [link["continuity"] for link in links.facts["links"]]
    note = f"{links.facts['retries']} tries more, {links.facts['broken_seams']} seams broken; baseline: a cut"
    bench.add("long_video.continuity", each, SEAM, note, cuts)


def edits(bench: Bench) -> None:
    outside, plain, canvas, kept, strange = [], [], [], [], []
    for seed in range(bench.count):
        clip, matte = drawn(seed)
        mask = cv2.dilate(matte.max(axis=0), np.ones((25, 25)))
        found = bench.ask("modify_region", Inputs(clip=clip[:24], clip_fps=FPS, mask=mask), which=1)
        outside.append(measures.psnr(found.shots[0], clip[:24], mask == 0))
        redrawn = bench.ask("video_to_video", Inputs(clip=clip, clip_fps=FPS), 2.0)
        kept.append(redrawn.facts["structure"])
        size = redrawn.shots[0].shape[2:0:-1]
        places = np.linspace(0, len(clip) - 1, len(redrawn.shots[0])).astype(int)
        own, other = (
            np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in each[places]])
            for each in (clip, drawn(seed + 70)[0])
        )
        plain.append(measures.psnr(redrawn.shots[0], own, cv2.resize(mask, size) == 0))
        strange += [measures.structure(a, b) for a, b in zip(other, redrawn.shots[0], strict=True)]
        wide = bench.ask("expand_canvas", Inputs(first=clip[0]), aspect="21:9").shots[0][0]
        side = (wide.shape[1] - SIZE[0]) // 2
        canvas.append(measures.psnr(wide[:, side : side + SIZE[0]], clip[0]))
    unit = "dB, 99 is equal"
    bench.add("modify_region.outside_psnr", outside, unit, "baseline: there in a clip redrawn whole", plain)
    bench.add("expand_canvas.inside_psnr", canvas, unit, "the picture itself")
    unit = "correlation of edges with the given clip"
    bench.add(
        "video_to_video.structure",
        kept,
        unit,
        "the engine's own strength; baseline: with another clip",
        strange,
    )


def between(bench: Bench) -> None:
    own = [drawn(seed)[0] for seed in range(2 * bench.count)]
    ours, mixed = [], []
    for clip in own:
        made = bench.ask("interpolate", Inputs(clip=clip[::2], clip_fps=FPS / 2)).shots[0]
        ours.append(measures.psnr(made[1:-1:2], clip[1:-1:2]))
        pairs = zip(clip[:-2:2], clip[2::2], strict=True)
        halves = np.concatenate([blend(a, b, 1) for a, b in pairs])
        mixed.append(measures.psnr(halves, clip[1:-1:2]))
    note = "every second frame; baseline: linear blend"
    bench.add("interpolate.psnr", ours, TRUTH, note, mixed)
    for gap in (6, 12, 24):
        start, end = (FRAMES - gap) // 2, (FRAMES + gap) // 2
        ours = [measures.psnr(moved(clip[start - 1], clip[end], gap), clip[start:end]) for clip in own]
        mixed = [measures.psnr(blend(clip[start - 1], clip[end], gap), clip[start:end]) for clip in own]
        asked = {"missing_from": start / FPS, "missing_to": end / FPS, "method": "model"}
        model = [
            bench.ask("infill", Inputs(clip=clip, clip_fps=FPS), which=seed, **asked).shots[0][start:end]
            for seed, clip in enumerate(own[: bench.count])
        ]
        errors = [measures.psnr(made, clip[start:end]) for made, clip in zip(model, own, strict=False)]
        note, length = "baseline: linear blend", f"{gap / FPS:g}s"
        bench.add(f"infill.motion_{length}", ours, TRUTH, note, mixed)
        bench.add(f"infill.model_{length}", errors, TRUTH, note, mixed[: bench.count])


def propagated(bench: Bench) -> None:
    found, kept = [], []
    for seed in range(bench.count):
        clip, matte = drawn(seed)
        truth = recoloured(clip, matte)
        made = bench.ask("propagate_edit", Inputs(clip=clip, clip_fps=FPS, first=truth[0]))
        found.append(made.facts)
        kept.append(measures.psnr(made.shots[0], truth))
    given = [facts["warp_error_given"] for facts in found]
    note = "recoloured subject; baseline: the given clip's own"
    errors = (facts["warp_error"] for facts in found)
    bench.add("propagate_edit.warp_error", errors, "grey levels", note, given, better="lower")
    bench.add("propagate_edit.psnr", kept, "dB to the edit drawn on all frames", "recoloured subject")


def rhythm(bench: Bench) -> None:
    errors, chance, octaves = [], [], 0
    for number, tempo in enumerate(TEMPI):
        for noise in (0.0, 0.03):
            sound, times = clicks(tempo, 12.0, noise, number)
            found = beats.detect(sound, 44_100)
            octaves += abs(found.tempo / tempo - 1) > 0.03
            cuts = np.round(np.array(beats.cut_times(found, 12.0, 0.8)) * FPS)
            errors += [np.abs(times * FPS - cut).min() for cut in cuts]
            even = np.arange(1, 12, 1.3) * FPS  # cuts that know nothing of the song
            chance += [np.abs(times * FPS - cut).min() for cut in even]
    unit = "frames at 24 a second to the nearest click"
    note = f"8 tempi, clean and noisy, {octaves} an octave off; baseline: cuts every 1.3 s"
    bench.add("music_cuts.error", errors, unit, note, chance, better="lower")
    within = [error <= 1 for error in errors]
    bench.add("music_cuts.within_one_frame", within, "share", "the same", [e <= 1 for e in chance])
    seen: list[float] = []
    for number, tempo in enumerate(TEMPI[::3]):
        sound, times = clicks(tempo, 10.0, 0.0, number)
        parts = 1 + len(beats.cut_times(beats.detect(sound, 44_100), 10.0, 1.0))
        shades = np.where(np.arange(parts) % 2, 60, 200).astype(np.uint8)
        clip = np.tile(np.repeat(shades, 4)[:, None, None, None], (1, 90, 160, 3))
        made = bench.ask("music_cuts", Inputs(song=(sound, 44_100), clip=clip, clip_fps=8), 10.0)
        found_cuts = 1 + np.flatnonzero(measures.steps(made.shots[0]) > 20)
        seen += [np.abs(times * made.fps - cut).min() for cut in found_cuts]
    bench.add("music_cuts.error_in_frames", seen, unit, "cuts found again in the frames made", better="lower")


def mattes(bench: Bench) -> None:
    ours, theirs = [], []
    for seed in range(2 * bench.count):
        clip, matte = drawn(seed, 12)
        truth, found = matte > 127, FlatMatte().alpha(clip, lambda: None) >= 128
        grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip])
        split = np.stack([cv2.threshold(one, 0, 255, cv2.THRESH_OTSU)[1] for one in grey]) > 0
        ours.append(_overlap(found, truth))
        theirs.append(max(_overlap(split, truth), _overlap(~split, truth)))
    note = "drawn clips; baseline: Otsu's threshold, the better side"
    bench.add("remove_background.iou", ours, "overlap with the true matte", note, theirs)


def _overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / max(1, (found | truth).sum()))


def memory(bench: Bench) -> None:
    """Peak memory of decoding with the starter's autoencoder, in pieces and at once, each in a process."""
    peaks = {}
    for way in ("pieces", "whole"):
        command = [sys.executable, "-m", "bench.operations", "--decode", way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[way] = float(done.stdout.split()[-1])
    bench.add(
        "decode.memory", [peaks["pieces"]], "MiB above the loaded model",
        "33 frames of 416 x 240; baseline: at once, as the pipeline does", [peaks["whole"]], better="lower",
    )  # fmt: skip


def decode(way: str) -> None:
    """Print the peak memory that decoding took, in MiB."""
    from byline.audit.base import heavy
    from byline.generation.engines import decoding
    from byline.generation.engines.wan import STARTER

    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    processor = heavy.load("diffusers.video_processor").VideoProcessor(vae_scale_factor=8)
    vae = diffusers.AutoencoderKLWan.from_pretrained(STARTER / "vae", dtype=torch.float32).eval()
    latents = torch.randn(1, vae.config.z_dim, 9, 30, 52, generator=torch.Generator().manual_seed(0))
    process, peak, stop = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not stop.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    if way == "pieces":
        made = np.concatenate([clip for (clip,) in decoding.pieces(vae, latents, torch)])
    else:
        with torch.no_grad():
            video = vae.decode(latents, return_dict=False)[0]
        made = decoding.to_bytes(processor.postprocess_video(video, output_type="np")[0])
    stop.set()
    watching.join()
    sys.stdout.write(f"{made.shape} {(peak[0] - before) / 2**20:.0f}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--engine", default="default", help="a name of VIDEO_ENGINES")
    parser.add_argument("--decode", choices=("whole", "pieces"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.decode:
        decode(options.decode)
        return 0
    bench = Bench(options.engine, options.quick)
    for part in (rhythm, mattes, propagated, edits, first_frames, seams, between, memory):
        part(bench)
    bench.results.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
