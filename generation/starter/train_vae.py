"""Train the starter's autoencoder: first single frames, then the decoder on whole clips.

Stage "frames" is an image autoencoder (T=1). Made into a video model by `start_as_image_model`, its
encoder looks at every fourth frame alone, and there it stays: stage "clips" trains only the
decoder, which learns to draw the three frames in between from the key frames around them. So the
transformer can train on the final latents at once. The loss weighs the subject's pixels and edges,
because subjects are a tenth of the picture and a plain mean forgets them.
"""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import scenes
from byline.generation.starter.fast_vae import FastPass, start_as_image_model
from byline.generation.starter.muon import Muon
from byline.generation.starter.team import Team

log = logging.getLogger(__name__)

CONFIG: dict[str, Any] = {
    "base_dim": 16,
    "z_dim": 16,
    "dim_mult": [1, 2, 4, 4],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
}
PLAN: dict[str, dict[str, Any]] = {
    "frames": {"batch": 16, "lr": 2.2e-3, "settled": 1.0, "frames": 1},
    # What draws pictures moves slowly ("settled"), what mixes frames fast: at one high rate for all
    # the clips stage first forgets the pictures.
    "clips": {"batch": 1, "lr": 1e-3, "settled": 0.3, "frames": 17},
}
TEMPORAL = ("time_conv", "mid_block", "decoder.conv_in", "up_blocks.0", "up_blocks.1")
POOL = 400  # clips drawn at a time; the pool is redrawn in part as training goes on
NOISE = 0.08  # of the latents' spread: the decoder must bear what the transformer leaves over


def build(seed: int = 0) -> Any:
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    torch.manual_seed(seed)
    z = CONFIG["z_dim"]
    vae = diffusers.AutoencoderKLWan(**CONFIG, latents_mean=[0.0] * z, latents_std=[1.0] * z)
    start_as_image_model(vae)
    return vae


class Pool:
    """Drawn clips kept as bytes; `refresh` redraws a few so that nothing is learned by heart."""

    def __init__(self, seed: int, size: int, frames: int = scenes.FRAMES, full: bool = False) -> None:
        self.rng, self.length, self.full = np.random.default_rng(seed), frames, full
        self.frames = np.empty((size, frames, scenes.HEIGHT, scenes.WIDTH, 3), np.uint8)
        self.mask = np.empty(self.frames.shape[:-1], bool)
        self.at = 0
        self.refresh(size)

    def refresh(self, count: int) -> None:
        for _ in range(count):
            k = self.at % len(self.frames)
            scene = scenes.sample(self.rng, full=self.full)
            self.frames[k], self.mask[k] = scenes.render(scene, frames=self.length)
            self.at += 1

    def batch(self, count: int, frames: int) -> tuple[Any, Any]:
        """Clips (B, 3, T, H, W) in -1..1 and subject masks (B, 1, T, H, W)."""
        torch = heavy.load("torch")
        which = self.rng.integers(0, len(self.frames), count)
        start = self.rng.integers(0, self.length - frames + 1, count)
        x = np.stack([self.frames[k, s : s + frames] for k, s in zip(which, start, strict=True)])
        m = np.stack([self.mask[k, s : s + frames] for k, s in zip(which, start, strict=True)])
        if self.rng.random() < 0.5:  # mirrored: twice the pictures
            x, m = x[:, :, :, ::-1], m[:, :, :, ::-1]
        clip = torch.from_numpy(np.ascontiguousarray(x)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
        return clip, torch.from_numpy(np.ascontiguousarray(m))[:, None].float()


def loss_of(y: Any, x: Any, mask: Any) -> Any:
    weight = 1 + 5 * mask
    weight = weight / weight.mean()
    e = y - x
    gx = ((e[..., 1:] - e[..., :-1]).abs() * weight[..., 1:]).mean()
    gy = ((e[..., 1:, :] - e[..., :-1, :]).abs() * weight[..., 1:, :]).mean()
    return (e.abs() * weight).mean() + (e.square() * weight).mean() + 0.5 * (gx + gy)


def psnr(y: Any, x: Any) -> float:
    return float(-10 * math.log10((y.clamp(-1, 1) - x).square().mean().item() / 4))


def encode_keys(fast: FastPass, keys: Any) -> Any:
    """Latents (B, z, t, h, w) of key frames (B, 3, t, H, W), each encoded by itself."""
    torch = heavy.load("torch")
    singles = keys.transpose(1, 2).flatten(0, 1)[:, :, None]
    with torch.no_grad():
        latents = fast.encode(singles)[0]
    return latents[:, :, 0].unflatten(0, (-1, keys.shape[2])).transpose(1, 2)


def around(x: Any, mask: Any, width: int) -> tuple[Any, Any]:
    """Cut the columns around the subjects out of frames and masks: half the work, most of the news."""
    columns = mask.sum((0, 1, 2, 3))
    edges = range(0, x.shape[-1] - width + 1, 8)
    left = max(edges, key=lambda k: float(columns[k : k + width].sum()))
    return x[..., left : left + width].contiguous(), mask[..., left : left + width].contiguous()


def run_stage(vae: Any, stage: str, minutes: float, seed: int, note: Path, team: Team) -> None:
    """Train one stage for so many wall minutes, with a warm start and a decay over the last half."""
    torch = heavy.load("torch")
    plan = PLAN[stage]
    torch.manual_seed(seed + 7919 * team.rank)
    length = 5 if plan["frames"] == 1 else scenes.FRAMES
    fast, pool = FastPass(vae), Pool(seed + 7919 * team.rank, POOL, length, full=True)
    batch = max(1, plan["batch"] // team.size)
    groups: list[list[tuple[str, Any]]] = [[], []]
    for name, parameter in vae.named_parameters():
        if stage == "clips" and name.startswith(("encoder.", "quant_conv.")):
            parameter.requires_grad_(False)
        else:
            groups[0 if any(part in name for part in TEMPORAL) else 1].append((name, parameter))
    optimisers = [Muon(group, ("conv_in", "conv_out"), 0.0, team) for group in groups]
    parameters = [p for p in vae.parameters() if p.requires_grad]
    began, step, running, stop = time.monotonic(), 0, None, False
    while not stop:
        elapsed = time.monotonic() - began
        done = elapsed / (minutes * 60)
        rate = plan["lr"] * min(1, (step + 1) / 40) * (1 if done < 0.5 else max(0.03, 2 * (1 - done)))
        x, mask = pool.batch(batch, plan["frames"])
        if stage == "frames" and done < 0.6:
            x, mask = around(x, mask, 64)
        mean = fast.encode(x)[0] if stage == "frames" else encode_keys(fast, x[:, :, ::4])
        spread = mean.detach().std()
        y = fast.decode(mean + torch.randn_like(mean) * NOISE * spread)
        loss = loss_of(y, x, mask) + 1e-4 * mean.square().mean()
        loss.backward()
        rate, stop = team.agree(parameters, rate, done >= 1)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimiser, scale in zip(optimisers, (1.0, plan["settled"]), strict=True):
            optimiser.step(rate * scale)
            optimiser.zero()
        step += 1
        value = psnr(y.detach(), x)
        running = value if running is None else 0.97 * running + 0.03 * value
        if step % 4 == 0:
            pool.refresh(2)
        if step % 50 == 0 and team.rank == 0:
            log.info(
                "%s step %d %.0fs psnr %.2f loss %.4f spread %.2f",
                stage,
                step,
                elapsed,
                running,
                loss.item(),
                spread,
            )
        if step % 100 == 0 and team.rank == 0:
            vae.save_pretrained(note / "vae")
    if team.rank == 0:
        if stage == "frames":  # other latents now: `bank` measures their scale again
            z = vae.config.z_dim
            vae.register_to_config(latents_mean=[0.0] * z, latents_std=[1.0] * z)
        vae.save_pretrained(note / "vae")


def evaluate(vae: Any, count: int = 16, seed: int = 99) -> tuple[float, list[np.ndarray]]:
    """Fresh clips through diffusers' own pass: mean PSNR in dB and pairs (clip, reconstruction) as uint8."""
    torch = heavy.load("torch")
    rng = np.random.default_rng(seed)
    values, pairs = [], []
    with torch.no_grad():
        for _ in range(count):
            clip, _ = scenes.render(scenes.sample(rng, full=True))
            x = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
            y = vae.decode(vae.encode(x).latent_dist.mean).sample
            values.append(psnr(y, x))
            pairs += [clip, ((y[0].clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 3, 0).numpy()]
    return float(np.mean(values)), pairs


def train(
    out: Path,
    minutes: float,
    stage: str,
    seed: int = 0,
    rank: int = 0,
    size: int = 1,
    meeting: Path = Path(),
) -> None:
    """Run `stage` ("frames" or "clips") for `minutes`, starting from `out`/vae where it exists."""
    diffusers = heavy.load("diffusers")
    out.mkdir(parents=True, exist_ok=True)
    known = out / "vae" / "config.json"
    vae = diffusers.AutoencoderKLWan.from_pretrained(out / "vae") if known.exists() else build(seed)
    team = Team(rank, size, meeting)
    run_stage(vae.float().train(), stage, minutes, seed + (1 if stage == "clips" else 0), out, team)
    if rank == 0:
        value, pairs = evaluate(vae.eval(), 8)
        log.info("%s: fresh clips %.2f dB", stage, value)
        scenes.sheet(pairs, str(out / f"vae_{stage}.png"))
