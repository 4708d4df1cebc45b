"""Train the reader of the starter's clips on renders, clean and as soft as the autoencoder leaves them.

`python -m byline.generation.starter.train_probe --vae DIR --out FILE --minutes 8`. Prints the share of
right answers on fresh renders, clean and soft.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import probe, scenes
from byline.generation.starter.fast_vae import FastPass

log = logging.getLogger(__name__)

CLIPS, SOFT, BATCH, RATE = 5000, 400, 48, 3e-3
_PEOPLE = 0.25


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips (N, 5, 64, 112, 3) uint8 and labels (N, heads), IGNORED where there is no answer.

    One subject each, no camera and no style: what the probe is asked about.
    """
    clips: list[np.ndarray] = []
    labels: list[list[int]] = []
    while len(clips) < count:
        scene = scenes.sample(rng, _PEOPLE, full=True)
        if scene.other or scene.camera or scene.style or scene.count > 1:
            continue
        clips.append(scenes.render(scene, frames=probe.FRAMES)[0])
        said = probe.truth(scene)
        labels.append(
            [values.index(said[n]) if n in said else probe.IGNORED for n, values in probe.HEADS.items()]
        )
    return np.stack(clips), np.array(labels)


def soften(clips: np.ndarray, vae: Any, noise: float = 0.0) -> np.ndarray:
    """Key frames through the autoencoder and back, each by itself as the engine decodes them."""
    torch = heavy.load("torch")
    fast, out = FastPass(vae), []
    with torch.inference_mode():
        for part in torch.from_numpy(clips).flatten(0, 1).permute(0, 3, 1, 2)[:, :, None].split(16):
            z = fast.encode(part.float() / 127.5 - 1)[0]
            z = z + torch.randn_like(z) * z.std() * noise
            y = fast.decode(z)[:, :, 0].clamp(-1, 1)
            out.append(((y + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(out).reshape(clips.shape)


def varied(batch: Any, rng: np.random.Generator) -> Any:
    """Brighter or darker, noisy, softer: what differs between a drawing and a generated frame."""
    torch = heavy.load("torch")
    if rng.random() < 0.5:
        n = batch.shape[0]
        small = torch.nn.functional.avg_pool2d(batch.flatten(0, 1), 2)
        batch = torch.nn.functional.interpolate(small, probe.SIZE, mode="bilinear").unflatten(0, (n, -1))
    gain = torch.from_numpy(rng.uniform(0.88, 1.12, (len(batch), 1, 3, 1, 1))).float()
    return (batch * gain + torch.randn_like(batch) * float(rng.uniform(0, 0.05))).clamp(0, 1)


def accuracy(model: Any, clips: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    torch = heavy.load("torch")
    model.eval()
    with torch.inference_mode():
        x = torch.from_numpy(clips).permute(0, 1, 4, 2, 3)
        found = probe.answers(torch.cat([model(part.float() / 255) for part in x.split(32)]))
    out = {}
    for column, (name, values) in enumerate(probe.HEADS.items()):
        known = [
            found[k][name] == values[label]
            for k, label in enumerate(labels[:, column])
            if label != probe.IGNORED
        ]
        out[name] = round(float(np.mean(known)), 4)
    return out


def train(vae_folder: Path, file: Path, minutes: float, seed: int = 5) -> dict[str, dict[str, float]]:
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    vae = (
        diffusers.AutoencoderKLWan.from_pretrained(vae_folder, dtype=torch.float32)
        .eval()
        .requires_grad_(False)
    )
    clips, labels = draw(rng, CLIPS)
    clips = np.concatenate(
        [clips, soften(clips[: SOFT // 2], vae), soften(clips[SOFT // 2 : SOFT], vae, 0.15)]
    )
    labels = np.concatenate([labels, labels[:SOFT]])
    log.info("drawn")
    x = torch.from_numpy(clips).permute(0, 1, 4, 2, 3)
    truth = torch.from_numpy(labels)
    model = probe.load(file).train().requires_grad_(True) if file.is_file() else probe.network()
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2)
    began, step = time.monotonic(), 0
    while (done := (time.monotonic() - began) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * (1 if done < 0.4 else max(0.01, (1 - done) / 0.6))
        picked = torch.from_numpy(rng.integers(0, len(x), BATCH))
        logits, loss, start = model(varied(x[picked].float() / 255, rng)), torch.zeros(()), 0
        for column, values in enumerate(probe.HEADS.values()):
            part, said = logits[:, start : start + len(values)], truth[picked, column]
            if bool((said != probe.IGNORED).any()):
                loss = loss + torch.nn.functional.cross_entropy(
                    part, said, ignore_index=probe.IGNORED, label_smoothing=0.05
                )
            start += len(values)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            log.info("probe step %d loss %.3f", step, loss.item())
    fresh, known = draw(np.random.default_rng(seed + 1000), 400)
    told = {"clean": accuracy(model, fresh, known), "soft": accuracy(model, soften(fresh, vae), known)}
    from safetensors.torch import save_file

    state = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, file)
    log.info("%d steps; %s", step, told)
    return told


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="byline.generation.starter.train_probe", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--vae", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=5, help="another one to go on from FILE with other clips")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(given.vae, given.out, given.minutes, given.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
