"""Train the probe that reads the starter's people, on drawn scenes with known attributes.

`python -m byline.generation.starter.train_attributes [--out DIR] [--steps N]`. Pictures: 1,000 scenes of
the starter's own generator, 40 of them also through its autoencoder, because that is the softness of a
generated clip. Held back: 400 fresh scenes, drawn with another seed, 40 of them also through the
autoencoder; both figures go to card.json ("accuracy" is that of the softened ones) and to the model card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import scenes
from byline.generation.starter.attributes import HEADS, WEIGHTS, network

_SKINS = {"light": "light-skinned", "medium": "brown-skinned", "dark": "dark-skinned"}
_SHARE_OF_PEOPLE = 0.8
_IGNORED = -100
_CLIP = 5
_SOFT = 40  # clips that also went through the autoencoder, which is slow


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips (N, 5, 64, 112, 3) uint8 and labels (N, 4), -100 where there is nobody to have one."""
    clips, labels = [], []
    for _ in range(count):
        scene = scenes.sample(rng, people=_SHARE_OF_PEOPLE)
        clips.append(scenes.render(scene, frames=_CLIP)[0])
        if not scene.is_person:
            labels.append([0, _IGNORED, _IGNORED, _IGNORED])
            continue
        said = {
            "gender": scene.gender,
            "skin": _SKINS[scene.skin],
            "age": {"middle": "adult"}.get(scene.age, scene.age),
        }
        labels.append([1, *(HEADS[name].index(said[name]) for name in ("gender", "skin", "age"))])
    return np.stack(clips), np.array(labels)


def soften(clips: np.ndarray) -> np.ndarray:
    """Clips through the starter's autoencoder and back."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    vae = diffusers.AutoencoderKLWan.from_pretrained(
        WEIGHTS.parent / "weights" / "vae", torch_dtype=torch.float32
    ).eval()
    out = []
    with torch.inference_mode():
        for start in range(0, len(clips), 8):
            batch = torch.from_numpy(clips[start : start + 8]).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
            back = vae.decode(vae.encode(batch).latent_dist.mode()).sample
            out.append(((back.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 4, 1).numpy())
    return np.concatenate(out)


def accuracy(model: Any, clips: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Share of clips read rightly by head, as PictogramAttributes reads them."""
    torch = heavy.load("torch")
    model.eval()
    with torch.inference_mode():
        frames = torch.from_numpy(clips.reshape(-1, *clips.shape[2:])).permute(0, 3, 1, 2).float() / 255
        logits = torch.cat([model(part) for part in frames.split(256)])
    found, start = {}, 0
    for column, (name, values) in enumerate(HEADS.items()):
        part = torch.log_softmax(logits[:, start : start + len(values)], 1)
        guess = part.reshape(len(clips), -1, len(values)).mean(1).argmax(1).numpy()
        known = labels[:, column] != _IGNORED
        found[name] = float((guess[known] == labels[known, column]).mean())
        start += len(values)
    return found


def train(steps: int, seed: int) -> tuple[Any, dict[str, Any]]:
    torch = heavy.load("torch")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    clips, labels = draw(rng, 1000)
    clips = np.concatenate([clips, soften(clips[:_SOFT])])
    labels = np.concatenate([labels, labels[:_SOFT]])
    frames = torch.from_numpy(clips.reshape(-1, *clips.shape[2:])).permute(0, 3, 1, 2)
    truth = torch.from_numpy(labels).repeat_interleave(_CLIP, 0)
    model = network(torch)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, steps)
    for step in range(steps):
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
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)  # noqa: T201
    fresh, known = draw(np.random.default_rng(seed + 1), 400)
    sharp = accuracy(model, fresh, known)
    soft = accuracy(model, soften(fresh[:_SOFT]), known[:_SOFT])
    people = [int((part[:, 0] == 1).sum()) for part in (known, known[:_SOFT])]
    card = {
        "version": f"pictograms-{seed}-{steps}",
        "accuracy": {name: round(soft[name], 4) for name in HEADS},
        "accuracy_drawn": {name: round(sharp[name], 4) for name in HEADS},
        "people": people[1],
        "people_drawn": people[0],
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
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args(argv)
    model, card = train(given.steps, given.seed)
    from safetensors.torch import save_file

    given.out.mkdir(parents=True, exist_ok=True)
    state = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file(state, given.out / "model.safetensors")
    (given.out / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    print(json.dumps(card, indent=1))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
