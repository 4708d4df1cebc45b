"""Train the probe of prompt-video agreement on captioned drawings, and measure it on generated clips.

`python -m byline.generation.starter.train_agreement --out DIR --minutes 15`, then `--measure CLIPS` with a
folder of generated clips (.npz of `frames` and `caption`), none of which is trained on. A dual encoder:
five frames through a small convolutional net, the prompt as its MiniLM embedding through two layers,
brought together by a contrastive loss (CLIP, arXiv 2103.00020) and, while training, by naming what was
drawn. It writes agreement.onnx and agreement.npz, which byline.safety.screen.agreement reads.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import scenes
from byline.safety import encoder
from byline.safety.screen import agreement

log = logging.getLogger(__name__)

SCENES, CAPTIONS, BATCH, WIDTH = 10_000, 2, 128, 96
BANK = 512  # other prompts that a clip is compared with
ATTRIBUTES = ("setting", "motion", "subject", "colour", "gender", "age", "skin", "profession")
NAMES = 96  # at most so many values of an attribute
_NAMED = 0.3  # weight of naming the attributes
_RATE = 2e-3


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(count, 5, 32, 56, 3) uint8 looks, (count, CAPTIONS, 384) embeddings, (count, 8) attribute numbers."""
    rng = np.random.default_rng(seed)
    model = encoder.shared()
    looks, texts, names = [], [], []
    known: list[dict[str, int]] = [{} for _ in ATTRIBUTES]
    for _ in range(count):
        scene = scenes.sample(rng, full=True)
        clip = scenes.render(scene, frames=agreement.FRAMES)[0]
        looks.append(agreement.look(clip))
        said = [scenes.caption(scene, rng) for _ in range(CAPTIONS)]
        texts.append([model.windows(text)[0].embedding for text in said])
        row = [getattr(scene, name) for name in ATTRIBUTES]
        names.append([seen.setdefault(value, len(seen)) for seen, value in zip(known, row, strict=True)])
    return np.array(looks), np.array(texts, np.float32), np.array(names)


def build() -> Any:
    """The two towers; `forward(frames, texts)` gives unit vectors of both."""
    torch = heavy.load("torch")
    nn = torch.nn

    class Probe(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            layers: list[Any] = []
            for wide, out in ((3, 32), (32, 64), (64, 64)):
                layers += [nn.Conv2d(wide, out, 3, stride=2, padding=1), nn.GroupNorm(8, out), nn.GELU()]
            self.frame = nn.Sequential(*layers)
            self.clip = nn.Sequential(
                nn.Conv2d(64 * agreement.FRAMES, 128, 3, padding=1), nn.GELU(),
                nn.Flatten(), nn.Linear(128 * 4 * 7, 256), nn.GELU(), nn.Dropout(0.1),
            )  # fmt: skip
            self.seen = nn.Linear(256, WIDTH)
            self.said = nn.Sequential(nn.Linear(384, 256), nn.GELU(), nn.Linear(256, WIDTH))
            self.named = nn.ModuleList([nn.Linear(256, NAMES) for _ in ATTRIBUTES])
            self.scale = nn.Parameter(torch.tensor(2.5))

        def features(self, frames: Any) -> Any:
            batch = frames.shape[0]
            each = self.frame((frames.reshape(-1, 3, 32, 56) - 0.5) * 2)
            return self.clip(each.reshape(batch, -1, 4, 7))

        def forward(self, frames: Any, texts: Any) -> Any:
            unit = nn.functional.normalize
            return unit(self.seen(self.features(frames)), dim=1), unit(self.said(texts), dim=1)

    torch.manual_seed(0)
    return Probe()


def _roughened(frames: Any, rng: Any) -> Any:
    """As a generator would draw it: softer, shifted in colour and place, with blotches."""
    torch = heavy.load("torch")
    resize, pool = torch.nn.functional.interpolate, torch.nn.functional.avg_pool2d
    batch, size = frames.shape[0], (32, 56)
    coarse = int(rng.choice((2, 4)))
    soft = resize(pool(frames.reshape(-1, 3, *size), coarse), size=size, mode="bilinear")
    share = torch.rand(batch, 1, 1, 1, 1)
    mixed = share * soft.reshape(frames.shape) + (1 - share) * frames
    blotches = resize(torch.randn(batch * 5, 3, 4, 7), size=size, mode="bilinear").reshape(frames.shape)
    tint = 1 + 0.08 * torch.randn(batch, 1, 3, 1, 1)
    mixed = mixed * tint + 0.05 * torch.rand(batch, 1, 1, 1, 1) * blotches
    down, across = (int(v) for v in rng.integers(-2, 3, 2))
    return torch.roll(mixed, (down, across), (3, 4)).clamp(0, 1)


def train(out: Path, minutes: float, threads: int) -> None:
    """Draw, fit for `minutes`, export."""
    torch = heavy.load("torch")
    torch.set_num_threads(threads)
    began = time.monotonic()
    looks, texts, names = draw(SCENES, seed=1)
    log.info("drew %d in %.0f s", len(looks), time.monotonic() - began)
    probe, rng = build(), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(probe.parameters(), lr=_RATE, weight_decay=0.02)
    began, step = time.monotonic(), 0
    while (spent := (time.monotonic() - began) / 60 / minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, step / 100) * (1 - spent) ** 0.5
        picked = rng.choice(len(looks), BATCH, replace=False)
        frames = torch.from_numpy(looks[picked]).permute(0, 1, 4, 2, 3).float() / 255
        said = torch.from_numpy(texts[picked, rng.integers(CAPTIONS)])
        frames = _roughened(frames, rng)
        features = probe.features(frames)
        unit = torch.nn.functional.normalize
        logits = probe.scale.exp() * unit(probe.seen(features), dim=1) @ unit(probe.said(said), dim=1).T
        target = torch.arange(BATCH)
        cross = torch.nn.functional.cross_entropy
        loss = (cross(logits, target) + cross(logits.T, target)) / 2
        attributes = torch.from_numpy(names[picked])
        loss = loss + _NAMED * sum(
            cross(head(features), attributes[:, k]) for k, head in enumerate(probe.named)
        ) / len(ATTRIBUTES)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            right = (logits.argmax(1) == target).float().mean().item()
            log.info("step %d loss %.3f right of %d %.2f", step, loss.item(), BATCH, right)
    out.mkdir(parents=True, exist_ok=True)
    _export(probe.eval(), out)
    bank = draw(BANK, seed=2)[1][:, 0]
    sha256 = hashlib.sha256((out / "agreement.onnx").read_bytes()).hexdigest()
    np.savez_compressed(out / "agreement.npz", bank=bank.astype(np.float16), sha256=np.array(sha256))


def _export(probe: Any, out: Path) -> None:
    torch = heavy.load("torch")
    torch.onnx.export(
        probe,
        (torch.zeros(2, agreement.FRAMES, 3, 32, 56), torch.zeros(3, 384)),
        str(out / "agreement.onnx"),
        input_names=["frames", "texts"],
        output_names=["seen", "said"],
        dynamic_axes={"frames": {0: "clips"}, "texts": {0: "prompts"}},
        dynamo=False,
    )


def measure(clips: Path, weights: Path) -> dict[str, float]:
    """Over generated clips: agreement with the true prompt and with the next clip's, and how often the
    true one is higher."""
    probe = agreement.Probe(weights)
    found = []
    for file in sorted(clips.glob("*.npz"), key=lambda f: int(f.stem)):
        with np.load(file) as data:
            found.append((data["frames"], str(data["caption"])))
    right = np.array([probe.score(frames, caption) for frames, caption in found])
    wrong = np.array([probe.score(found[k][0], found[k - 1][1]) for k in range(len(found))])
    return {
        "n": len(found),
        "true_mean": float(right.mean()),
        "shuffled_mean": float(wrong.mean()),
        "true_above_shuffled": float((right > wrong).mean() + 0.5 * (right == wrong).mean()),
        "auc": float((right[:, None] > wrong[None]).mean() + 0.5 * (right[:, None] == wrong[None]).mean()),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="byline.generation.starter.train_agreement", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", type=Path, help="a folder of generated clips; trains nothing")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.measure:
        log.info("%s", measure(given.measure, given.out))
    else:
        train(given.out, given.minutes, given.threads)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
