"""Train the upscaler: drawn scenes at 448x256 from their 112x64 version, as the autoencoder leaves it.

`train` keeps a pool of pairs: the picture, and the decoder's frame of its latents with noise of up to a
tenth of their spread, since a generated clip's latents are never clean.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import scenes
from byline.generation.starter.bank import PEOPLE
from byline.generation.starter.fast_vae import FastPass
from byline.generation.starter.upscaler import FACTOR, PART, load, network, save

log = logging.getLogger(__name__)

POOL, BATCH, RATE = 150, 6, 1.5e-3
CROP = 48  # pixels of the small frame
MAX_NOISE = 0.1  # of the latents' spread


def pairs(vae: Any, rng: np.random.Generator, count: int) -> tuple[Any, Any]:
    """Small frames (N, 3, 64, 112) as decoded and large ones (N, 3, 256, 448) as drawn, uint8."""
    torch = heavy.load("torch")
    fast = FastPass(vae)
    small, large = [], []
    for _ in range(count):
        scene = scenes.sample(rng, PEOPLE, full=True)
        drawn, _ = scenes.render(scene, 3, scenes.WIDTH * FACTOR, scenes.HEIGHT * FACTOR, scale=2)
        high = torch.from_numpy(drawn).permute(0, 3, 1, 2)
        low = torch.nn.functional.avg_pool2d(high.float() / 127.5 - 1, FACTOR)
        with torch.inference_mode():
            z = fast.encode(low[:, :, None])[0]
            z = z + torch.randn_like(z) * z.std() * float(rng.uniform(0, MAX_NOISE))
            seen = fast.decode(z)[:, :, 0]
        small.append(((seen.clamp(-1, 1) + 1) * 127.5).round().byte())
        large.append(high)
    return torch.cat(small), torch.cat(large)


def train(run: Path, minutes: float, seed: int = 0) -> None:
    """Train for `minutes` with DIR/vae; writes DIR/upscaler/model.safetensors, and goes on from it."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    functional = torch.nn.functional
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed + 31)
    vae = diffusers.AutoencoderKLWan.from_pretrained(run / "vae").eval().requires_grad_(False)
    small, large = pairs(vae, rng, POOL)
    model = network().to(memory_format=torch.channels_last)
    known = run / PART
    if known.is_file():
        model.load_state_dict(load(known).state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    began, step, running = time.monotonic(), 0, 0.0
    while (done := (time.monotonic() - began) / (minutes * 60)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * (1 if done < 0.5 else max(0.02, 2 * (1 - done)))
        xs, ys = [], []
        for k in rng.integers(0, len(small), BATCH):
            top, left = rng.integers(0, 64 - CROP + 1), rng.integers(0, 112 - CROP + 1)
            xs.append(small[k, :, top : top + CROP, left : left + CROP])
            cut = slice(top * FACTOR, (top + CROP) * FACTOR), slice(left * FACTOR, (left + CROP) * FACTOR)
            ys.append(large[k, :, cut[0], cut[1]])
        x, y = torch.stack(xs).float() / 127.5 - 1, torch.stack(ys).float() / 127.5 - 1
        e = model(x.contiguous(memory_format=torch.channels_last)) - y
        edges = (e[..., 1:] - e[..., :-1]).abs().mean() + (e[..., 1:, :] - e[..., :-1, :]).abs().mean()
        loss = e.abs().mean() + edges
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.step()
        step += 1
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 10 == 0 and len(small) < 6000:  # the pool grows
            more = pairs(vae, rng, 3)
            small, large = torch.cat([small, more[0]])[-3000:], torch.cat([large, more[1]])[-3000:]
        if step % 100 == 0:
            log.info("upscaler step %d %.0fs loss %.4f", step, done * minutes * 60, running)
            save(model, known)
    save(model, known)
    fresh = pairs(vae, np.random.default_rng(seed + 32), 40)
    with torch.inference_mode():
        y, x = fresh[1].float() / 127.5 - 1, fresh[0].float() / 127.5 - 1
        mine = torch.cat([model(part) for part in x.split(4)]).clamp(-1, 1)
        plain = functional.interpolate(x, scale_factor=FACTOR, mode="bicubic").clamp(-1, 1)
    for name, made in (("upscaler", mine), ("bicubic", plain)):
        log.info("fresh scenes, %s: %.2f dB", name, float(-10 * torch.log10((made - y).square().mean() / 4)))
