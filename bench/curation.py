"""Curation: are cuts, fades and marks found, do clips stay within shots, what is accused wrongly?

`make bench-curation` (`BENCHFLAGS=--quick` for half of it). Material is drawn by bench/curation_reel.py; even
seeds alone count, thresholds were chosen on odd ones. The baseline beside the cascade is PySceneDetect's
content detector with its default threshold on every frame.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from bench import curation_reel as reels
from bench.debias import wilson
from bench.results_file import Results
from byline.generation.curation import clipping, cuts, filters, overlays

JOINS: tuple[tuple[reels.Kind, float], ...] = (
    ("cut", 0), ("dissolve", 0.5), ("cut", 0), ("dissolve", 1.0), ("black", 1.0), ("dissolve", 2.0),
    ("cut", 0), ("dissolve", 3.0), ("black", 2.0), ("cut", 0), ("dissolve", 1.5),
)  # fmt: skip
ALONE = (cuts.Stage("every frame", 0.0, 27.0),)
MIDDLE = 0.1  # of a fade at either end that is too faint to count


def share(results: Results, metric: str, part: int, of: int, **more: object) -> None:
    low, high = wilson(part / of, of)
    results.add(metric, part / of, n=of, low=low, high=high, **more)


def small(frames: Iterable[np.ndarray]) -> list[cuts.Small]:
    return [
        np.ascontiguousarray(cv2.resize(f, (cuts.WIDTH, 72), interpolation=cv2.INTER_AREA)[..., ::-1])
        for f in frames
    ]


def decoded(file: Path) -> list[np.ndarray]:
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def packets(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def recordings(results: Results, seeds: Sequence[int]) -> None:
    """Reels as H.264: what is found, and what is in the clips."""
    hit: Counter[tuple[str, str]] = Counter()
    of: Counter[str] = Counter()
    false: Counter[str] = Counter()
    minutes = took = 0.0
    clips = crossing = copied = fading = seen = 0
    for seed in seeds:
        reel = reels.reel(seed, JOINS)
        with tempfile.TemporaryDirectory() as folder:
            file = reels.write(Path(folder) / "reel.mp4", reel.frames, gop=(12, 24, 48)[seed % 3])
            pictures = small(decoded(file))
            began = time.monotonic()
            divided = clipping.divide(file, shortest=0.5)
            took += time.monotonic() - began
            source = packets(file.read_bytes())
        minutes += len(pictures) / reels.FPS / 60
        for name, found in (
            ("cascade", cuts.find(pictures, reels.FPS)),
            ("alone", cuts.find(pictures, reels.FPS, ALONE)),
        ):
            for t in reel.transitions:
                kind = "cut" if t.kind == "cut" else f"{t.kind}_{(t.end - t.start) / reels.FPS:g}s"
                of[kind] += name == "cascade"
                hit[name, kind] += any(c.start <= t.end + 1 and c.end >= t.start - 1 for c in found)
            false[name] += sum(
                not any(c.start <= t.end + 2 and c.end >= t.start - 2 for t in reel.transitions)
                for c in found
            )
        for clip in divided.clips:
            clips += 1
            first, last = round(clip.start * reels.FPS), round(clip.end * reels.FPS)
            crossing += any(first < (t.start + t.end) / 2 < last for t in reel.transitions)
            own = packets(clip.data)
            at = source.index(own[0]) if own and own[0] in source else -1
            copied += at >= 0 and source[at : at + len(own)] == own
            for t in reel.transitions:
                edge = MIDDLE * (t.end - t.start)
                fading += max(0, round(min(last, t.end - edge) - max(first, t.start + edge)))
            seen += last - first
    for kind in sorted(of):
        share(
            results, f"curation.found.{kind}", hit["cascade", kind], of[kind], better="higher",
            baseline=hit["alone", kind] / of[kind], note="baseline: one content detector, threshold 27",
        )  # fmt: skip
    results.add(
        "curation.false_cuts_per_minute", false["cascade"] / minutes, baseline=false["alone"] / minutes,
        n=len(seeds), better="lower", note=f"{minutes:.1f} minutes with panning, zooming and flashes",
    )  # fmt: skip
    share(results, "curation.clips_with_a_cut", crossing, clips, better="lower")
    share(results, "curation.clips_copied_packet_for_packet", copied, clips, better="higher")
    results.add(
        "curation.fading_frames_in_clips",
        fading / max(1, seen),
        n=seen,
        better="lower",
        note="share of frames",
    )
    results.add(
        "curation.seconds_per_minute", took / minutes, n=len(seeds), better="lower",
        note="wall clock of dividing 320 x 180 at 24 fps, one thread, machine shared",
    )  # fmt: skip


def marks(results: Results, seeds: Sequence[int]) -> None:
    """Strangers' marks on six shots, on one panning shot, and none."""
    found: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        rng, stamp = np.random.default_rng(seed), np.random.default_rng(seed + 1000)
        six = [f for k in range(6) for f in reels.scene(rng, 24, reels.CAMERAS[(seed + k) % 3])[::4]]
        one = reels.scene(rng, 72, "pan")[::3]
        for name, frames in (("six_shots", six), ("one_panning_shot", one)):
            found[name, "clean", overlays.find(frames).result] += 1  # type: ignore[index]
            found[name, "marked", overlays.find(list(reels.stamped(frames, stamp))).result] += 1  # type: ignore[index]
    for name in ("six_shots", "one_panning_shot"):
        hit, wrong = found[name, "marked", "found"], found[name, "clean", "found"]  # type: ignore[index]
        share(results, f"curation.mark_found.{name}", hit, len(seeds), better="higher")
        share(results, f"curation.mark_accused_wrongly.{name}", wrong, len(seeds), better="lower")


def measures(results: Results, seeds: Sequence[int]) -> None:
    """Clips that stand still or are blurred, against clips that are neither."""
    limits, right, of = filters.Limits(), Counter[str](), Counter[str]()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        moving = reels.scene(rng, 24, reels.CAMERAS[seed // 2 % 3])[::3]
        still = reels.scene(rng, 24, "still", speed=0.0)[::3]
        blurred = [cv2.GaussianBlur(frame, (0, 0), 5) for frame in moving]
        for name, frames, wanted in (
            ("kept", moving, ""),
            ("still", still, "motion"),
            ("blurred", blurred, "sharpness"),
        ):
            measured = filters.Measures(filters.motion(frames, 8.0), filters.sharpness(frames), None)
            right[name] += filters.failed(measured, limits) == wanted
            of[name] += 1
    for name in of:
        share(results, f"curation.filter.{name}", right[name], of[name], better="higher")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.curation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(argv)
    results = Results("curation", quick=given.quick)
    many = 1 if given.quick else 2
    marks(results, range(2, 2 + 40 * many, 2))
    measures(results, range(2, 2 + 40 * many, 2))
    recordings(results, range(2, 2 + 8 * many, 2))
    results.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
