"""Train the probe that reads the starter's people, on drawn scenes with known attributes.

`python -m byline.generation.starter.train_attributes [--vae DIR] [--out DIR] [--minutes N]`. Pictures: 3,000
scenes of the starter's own generator, 2,000 of them also through its autoencoder, because that is the
softness of a generated clip. Held back: 500 fresh scenes, drawn with another seed, as drawn and through the
autoencoder; both figures go to card.json ("accuracy" is that of the softened ones) and to the model card.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import scenes
from byline.generation.starter.attributes import HEADS, WEIGHTS, network
from byline.generation.starter.train_probe import soften

_SKINS = {"light": "light-skinned", "medium": "brown-skinned", "dark": "dark-skinned"}
_AGES = {"child": "child", "adult": "young", "middle": "middle-aged", "older": "older"}
_SHARE_OF_PEOPLE = 0.8
_IGNORED = -100
_CLIP = 5
_RATE = 4e-3
_DRAWN, _SOFT, _HELD_BACK = 3000, 2000, 500  # clips


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips (N, 5, 64, 112, 3) uint8 and labels (N, 4), -100 where there is nobody to have one."""
    clips, labels = [], []
    for _ in range(count):
        scene = scenes.sample(rng, people=_SHARE_OF_PEOPLE)
        clips.append(scenes.render(scene, frames=_CLIP)[0])
        if not scene.is_person:
            labels.append([0, _IGNORED, _IGNORED, _IGNORED])
            continue
        said = {"gender": scene.gender, "skin": _SKINS[scene.skin], "age": _AGES[scene.age]}
        labels.append([1, *(HEADS[name].index(said[name]) for name in ("gender", "skin", "age"))])
    return np.stack(clips), np.array(labels)


def accuracy(model: Any, clips: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Share of clips read rightly by head, as PictogramAttributes reads them."""
    torch = heavy.load("torch")
    model.eval()
    with torch.inference_mode():
        frames = torch.from_numpy(clips.reshape(-1, *clips.shape[2:])).permute(0, 3, 1, 2)
        logits = torch.cat([model(part.float() / 255) for part in frames.split(256)])
    found, start = {}, 0
    for column, (name, values) in enumerate(HEADS.items()):
        part = torch.log_softmax(logits[:, start : start + len(values)], 1)
        guess = part.reshape(len(clips), -1, len(values)).mean(1).argmax(1).numpy()
        known = labels[:, column] != _IGNORED
        found[name] = float((guess[known] == labels[known, column]).mean())
        start += len(values)
    return found


def train(minutes: float, seed: int, vae_folder: Path) -> tuple[Any, dict[str, Any]]:
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    vae = diffusers.AutoencoderKLWan.from_pretrained(vae_folder, dtype=torch.float32).eval()
    vae.requires_grad_(False)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    clips, labels = draw(rng, _DRAWN)
    half = _SOFT // 2
    clips = np.concatenate([clips, soften(clips[:half], vae), soften(clips[half:_SOFT], vae, 0.15)])
    labels = np.concatenate([labels, labels[:_SOFT]])
    frames = torch.from_numpy(clips.reshape(-1, *clips.shape[2:])).permute(0, 3, 1, 2)
    truth = torch.from_numpy(labels).repeat_interleave(_CLIP, 0)
    model = network(torch)
    optimiser = torch.optim.AdamW(model.parameters(), _RATE, weight_decay=1e-2)
    began, step = time.monotonic(), 0
    while (done := (time.monotonic() - began) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / 50) * (1 if done < 0.4 else max(0.01, (1 - done) / 0.6))
        picked = torch.from_numpy(rng.integers(0, len(frames), 64))
        batch = _varied(torch, frames[picked].float() / 255, rng)
        logits, loss, start = model(batch), torch.zeros(()), 0
        for column, values in enumerate(HEADS.values()):
            part = logits[:, start : start + len(values)]
            loss = loss + torch.nn.functional.cross_entropy(
                part, truth[picked, column], ignore_index=_IGNORED, label_smoothing=0.05
            )
            start += len(values)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)  # noqa: T201
    fresh, known = draw(np.random.default_rng(seed + 1), _HELD_BACK)
    sharp = accuracy(model, fresh, known)
    soft = accuracy(model, soften(fresh, vae), known)
    people = int((known[:, 0] == 1).sum())
    card = {
        "version": f"pictograms-{seed}-{step}",
        "accuracy": {name: round(soft[name], 4) for name in HEADS},
        "accuracy_drawn": {name: round(sharp[name], 4) for name in HEADS},
        "people": people,
        "people_drawn": people,
    }
    return model, card


def _varied(torch: Any, batch: Any, rng: np.random.Generator) -> Any:
    """Mirrored, brighter or darker, noisy, softer: what differs between a drawing and a generated frame."""
    if rng.random() < 0.5:
        batch = batch.flip(3)
    if rng.random() < 0.5:
        small = torch.nn.functional.avg_pool2d(batch, 2)
        batch = torch.nn.functional.interpolate(small, batch.shape[2:], mode="bilinear")
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(batch), 3, 1, 1))).float()
    return (batch * gain + torch.randn_like(batch) * float(rng.uniform(0, 0.05))).clamp(0, 1)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.generation.starter.train_attributes", description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--vae", type=Path, default=WEIGHTS.parent / "weights" / "vae")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args(argv)
    model, card = train(given.minutes, given.seed, given.vae)
    from safetensors.torch import save_file

    given.out.mkdir(parents=True, exist_ok=True)
    state = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file(state, given.out / "model.safetensors")
    (given.out / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    print(json.dumps(card, indent=1))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
