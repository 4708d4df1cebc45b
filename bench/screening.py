"""What output screening does to harmless material, and what it finds of what can be made here.

`python -m bench.screening --photos DIR [--clips DIR] [--quick]`, or `make bench-screening BENCHFLAGS=...`.
Photographs: any folder of harmless pictures; ours were those of the Debian packages gnome-backgrounds,
mate-backgrounds, plasma-workspace-wallpapers, lomiri-wallpapers, ukui-wallpapers and sway-backgrounds.
Clips: made by the starter model from captions of its own vocabulary, or a folder of .npz files
(`frames`, `caption`) made before. Thresholds were chosen on pictures and clips of odd numbers; rates are
of the even ones. Recall of nudity, violence and weapons is not measured: no such pictures are kept. Intervals
are Wilson's, 95 %.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagehash
import numpy as np
from PIL import Image

from bench.results_file import Results
from byline.safety import policy
from byline.safety.hashlists import matching
from byline.safety.hashlists.pdq import pdq
from byline.safety.hashlists.signals import TYPES
from byline.safety.screen import agreement, no_go, words
from byline.safety.screen.faces import faces
from byline.safety.screen.frames import sample
from byline.safety.screen.gates import blank_or_frozen, flicker
from byline.safety.screen.nudity import nudity

Picture = np.ndarray
CLIPS, PHOTOS = 80, 400


@dataclass(frozen=True)
class Clip:
    frames: np.ndarray
    caption: str
    fps: float = 8.0


def photographs(folder: Path, most: int) -> list[Picture]:
    """At most 640 px wide, one of each set of sizes, those that were not used to choose thresholds."""
    Image.MAX_IMAGE_PIXELS = None
    chosen: dict[Path, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"} and "screenshot" not in path.name:
            key = path.parent if "contents" in path.parts else path  # a wallpaper in several sizes
            if key not in chosen or path.stat().st_size > chosen[key].stat().st_size:
                chosen[key] = path
    found = []
    for path in list(chosen.values())[::2][:most]:
        image = Image.open(path).convert("RGB")
        image.thumbnail((640, 640))
        found.append(np.asarray(image))
    return found


def generated(folder: Path | None, most: int) -> list[Clip]:
    """Starter clips with even numbers."""
    if folder is not None:
        found = []
        for file in sorted(folder.glob("*.npz"), key=lambda f: int(f.stem)):
            if int(file.stem) % 2 == 0 and len(found) < most:
                with np.load(file) as data:
                    found.append(Clip(data["frames"], str(data["caption"])))
        return found
    return list(_make(most))


def _make(count: int) -> Iterator[Clip]:
    from byline.generation.engines.base import VideoTask
    from byline.generation.engines.wan import WanEngine
    from byline.generation.starter import scenes

    engine = WanEngine()
    for seed in range(0, 2 * count, 2):
        rng = np.random.default_rng(900_000 + seed)
        caption = scenes.caption(scenes.sample(rng), rng)
        yield Clip(engine.generate(VideoTask(caption, seed=seed)), caption)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z, p = 1.96, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


class Rates:
    """Adds shares to the results."""

    def __init__(self, results: Results) -> None:
        self.results = results

    def share(self, metric: str, answers: Callable[[], Sequence[bool]], note: str, *, better: str) -> None:
        if self.results.has(metric):
            return
        found = list(answers())
        if not found:
            self.results.add(metric, None, note=f"not measured: {note}", better=better, unit="share")
            return
        low, high = wilson(sum(found), len(found))
        self.results.add(
            metric, sum(found) / len(found), n=len(found), low=low, high=high, note=note, better=better,
            unit="share",
        )  # fmt: skip


# ---------------------------------------------------------------- harmless material


def false_alarms(rates: Rates, clips: list[Clip], photos: list[Picture]) -> None:
    """Share of harmless clips and photographs that a check would hold or refuse."""
    chosen, whose = policy.load(), ("newsroom", "byline")
    stills = [sample([photo], 1.0) for photo in photos]
    gates = {
        "blank_or_frozen": lambda clip: blank_or_frozen(clip.frames).action != "allow",
        "flicker": lambda clip: flicker(clip.frames, clip.fps).action != "allow",
    }
    for name, gate in gates.items():
        rates.share(
            f"held.{name}.clips", lambda g=gate: [g(clip) for clip in clips], "starter clips", better="lower"
        )
    rates.share(
        "held.nudity.clips",
        lambda: [nudity(sample(clip.frames, clip.fps)).action != "allow" for clip in clips],
        "starter clips, review or block", better="lower",
    )  # fmt: skip
    rates.share(
        "held.nudity.photos",
        lambda: [nudity(still).action != "allow" for still in stills],
        "photographs and wallpapers without people, review or block", better="lower",
    )  # fmt: skip
    rates.share(
        "held.frame_text.clips",
        lambda: [
            words.frame_text(sample(clip.frames, clip.fps, 1), chosen, *whose).action != "allow"
            for clip in clips
        ],
        "starter clips, one frame each, Tesseract", better="lower",
    )  # fmt: skip
    rates.share(
        "held.frame_text.photos",
        lambda: [words.frame_text(still, chosen, *whose).action != "allow" for still in stills],
        "photographs and wallpapers, Tesseract", better="lower",
    )  # fmt: skip
    rates.share(
        "held.faces.photos",
        lambda: [
            faces(still, drawn_by_us=False, consented=0).action != "allow" for still in stills[::2]
        ],
        "photographs and wallpapers, one frame each (a clip needs three)", better="lower",
    )  # fmt: skip


# ---------------------------------------------------------------- no-go lists


def _jpeg(picture: Picture, quality: int) -> Picture:
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def _scaled(picture: Picture, width: int) -> Picture:
    size = (width, round(picture.shape[0] * width / picture.shape[1]))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _cropped(picture: Picture, away: float) -> Picture:
    rows, columns = (round(side * away / 2) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[rows : len(picture) - rows, columns : picture.shape[1] - columns])


def _boxed(picture: Picture) -> Picture:
    band = np.zeros((picture.shape[0] // 6, *picture.shape[1:]), np.uint8)
    return np.concatenate([band, picture, band])


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "jpeg30": lambda p: _jpeg(p, 30),
    "half": lambda p: _scaled(p, p.shape[1] // 2),
    "width112": lambda p: _scaled(p, 112),
    "half_jpeg30": lambda p: _jpeg(_scaled(p, p.shape[1] // 2), 30),
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "letterboxed": _boxed,
    "crop5": lambda p: _cropped(p, 0.05),
    "crop10": lambda p: _cropped(p, 0.1),
}


def lists(rates: Rates, clips: list[Clip], photos: list[Picture]) -> None:
    """Every photograph with enough detail is on the list; which copies are found, which strangers are."""
    values = {"pdq": lambda p: pdq(p)[0].hex, "phash": lambda p: str(imagehash.phash(Image.fromarray(p)))}
    known = [photo for photo in photos if pdq(photo)[0].quality >= no_go.QUALITY]
    for type, value in values.items():
        made = [value(photo) for photo in known]
        table = {type: matching.Table.of(type, [("list", v, str(n)) for n, v in enumerate(made)])}
        note = f"photographs with a PDQ quality of {no_go.QUALITY}; radius {TYPES[type].radius}"

        def found(picture: Picture, type: str = type, table: dict[str, matching.Table] = table) -> set[str]:
            hashes = no_go.fingerprints([[picture]], 1.0)
            return {match.reference for match in matching.find({type: hashes[type]}, table)}

        for name, copy in COPIES.items():
            rates.share(
                f"recall.{type}.{name}",
                lambda c=copy, f=found: [str(n) in f(c(photo)) for n, photo in enumerate(known)],
                note, better="higher",
            )  # fmt: skip
        rates.share(
            f"false.{type}.photos",
            lambda f=found: [bool(f(photo) - {str(n)}) for n, photo in enumerate(known)],
            f"photographs that match another one's entry ({len(known)} entries); some are true variants",
            better="lower",
        )
        rates.share(
            f"false.{type}.clips",
            lambda t=type, table=table: [
                bool(matching.find({t: no_go.fingerprints([c.frames], c.fps)[t]}, table)) for c in clips
            ],
            f"starter clips against {len(known)} photographs", better="lower",
        )  # fmt: skip
    stay_down(rates, clips)


def stay_down(rates: Rates, clips: list[Clip]) -> None:
    """One rejected clip against all the others: the starter's clips share their few backgrounds."""
    prints = [no_go.fingerprints([clip.frames], clip.fps)["pdq"] for clip in clips]

    def others() -> list[bool]:
        answers = []
        for number, frames in enumerate(prints):
            rows = [("s", variants[0], f"{matching.CLIP}{number}") for variants in frames]
            if rows:
                table = {"pdq": matching.Table.of("pdq", rows)}
                answers += [
                    bool(matching.find({"pdq": p}, table)) for k, p in enumerate(prints) if k != number
                ]
        return answers

    rates.share("false.stay_down.clips", others, "pairs of different starter clips", better="lower")

    def itself() -> list[bool]:
        answers = []
        for number, clip in enumerate(clips):
            rows = [("s", variants[0], f"{matching.CLIP}{number}") for variants in prints[number]]
            if rows:
                copy = [_jpeg(frame, 50) for frame in clip.frames]
                table = {"pdq": matching.Table.of("pdq", rows)}
                answers.append(
                    bool(matching.find({"pdq": no_go.fingerprints([copy], clip.fps)["pdq"]}, table))
                )
        return answers

    rates.share("recall.stay_down.jpeg50", itself, "the same clip, every frame re-encoded", better="higher")


# ---------------------------------------------------------------- gates, agreement


def defects(rates: Rates, clips: list[Clip]) -> None:
    """Defects made from generated clips."""
    rng = np.random.default_rng(0)

    def noisy(frames: np.ndarray) -> np.ndarray:
        return np.clip(frames + rng.integers(-2, 3, frames.shape), 0, 255).astype(np.uint8)

    def flashing(clip: Clip) -> bool:
        frames = np.repeat(clip.frames, 3, axis=0).copy()  # 24 a second
        for number, frame in enumerate(frames):
            if number // 3 % 2:
                frame[:] = frame // 5
        return flicker(frames, 3 * clip.fps).action != "allow"

    rates.share(
        "recall.frozen",
        lambda: [
            blank_or_frozen(noisy(np.repeat(c.frames[:1], 17, axis=0))).category == "frozen" for c in clips
        ],
        "first frame repeated, noise of 2 levels", better="higher",
    )  # fmt: skip
    rates.share(
        "recall.blank",
        lambda: [
            blank_or_frozen(noisy(np.full((17, 64, 112, 3), 2 + 3 * (n % 80), np.uint8))).category == "blank"
            for n in range(80)
        ],
        "plain grey, noise of 2 levels", better="higher",
    )  # fmt: skip
    rates.share(
        "recall.flicker",
        lambda: [flashing(c) for c in clips],
        "four flashes a second, to a fifth", better="higher",
    )  # fmt: skip


def follows(rates: Rates, clips: list[Clip]) -> None:
    """The probe was trained on drawings alone; these clips are the model's."""
    probe = agreement.shared()
    right = [probe.score(clip.frames, clip.caption) for clip in clips]
    wrong = [probe.score(clip.frames, clips[n - 1].caption) for n, clip in enumerate(clips)]
    rates.share(
        "agreement.true_above_shuffled",
        lambda: [a > b for a, b in zip(right, wrong, strict=True)],
        "starter clips; chance is 0.5", better="higher",
    )  # fmt: skip
    for name, scores in (("true", right), ("shuffled", wrong)):
        low, high = (float(np.percentile(scores, q)) for q in (5, 95))
        rates.results.add(
            f"agreement.{name}", float(np.mean(scores)), n=len(scores), low=low, high=high, unit="score",
            better="higher" if name == "true" else "lower", note="mean; percentiles 5 and 95",
        )  # fmt: skip


def not_measured(results: Results) -> None:
    for metric in ("recall.nudity", "recall.violence", "recall.weapons", "recall.transcript"):
        results.add(metric, None, note="not measured: no test pictures or weights may be kept here")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=Path, help="a folder of harmless pictures, searched below")
    parser.add_argument("--clips", type=Path, help="a folder of clips made before; default: make them")
    parser.add_argument("--most", type=int, default=CLIPS, help="clips at most")
    parser.add_argument("--quick", action="store_true", help="12 of each")
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
    import django

    django.setup()
    results = Results("screening", quick=given.quick)
    rates = Rates(results)
    clips = generated(given.clips, 12 if given.quick else given.most)
    photos = photographs(given.photos, 12 if given.quick else PHOTOS) if given.photos else []
    follows(rates, clips)
    defects(rates, clips)
    lists(rates, clips, photos)
    not_measured(results)
    false_alarms(rates, clips, photos)
    results.show()


if __name__ == "__main__":
    main()
