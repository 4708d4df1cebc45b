"""The training set as the transformer sees it: encoded clips and stills with their captions' token vectors.

`write` draws and encodes shard after shard beside the training (DIR/bank/NNN.npz); `Bank` reads what is
there, and looks for more from time to time. Stills are single frames of things at rest: five times cheaper
than a clip, and most of what there is to learn is what things look like.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import scenes, text
from byline.generation.starter.fast_vae import FastPass
from byline.generation.starter.train_vae import encode_keys

log = logging.getLogger(__name__)

CLIPS, STILLS, CAPTIONS = 500, 1000, 2  # of one shard
PEOPLE = 0.28
KEYS = 1 + (scenes.FRAMES - 1) // 4  # the autoencoder's latents are those of every fourth frame (train_vae)
SUBJECT_WEIGHT = 2.0
OFTEN = 0.3  # share of a batch of clips for motions alone whose opposite is a word away: learned last
OPPOSITES = ("left", "right", "rise", "fall", "grow", "shrink")


def _encode(fast: FastPass, drawn: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Latents (N, z, t, h, w) and loss weights (N, 1, t, h, w) of drawn frames and masks, half precision."""
    torch = heavy.load("torch")
    frames = torch.from_numpy(np.stack([d[0] for d in drawn])).permute(0, 4, 1, 2, 3)
    with torch.inference_mode():
        latents = torch.cat([encode_keys(fast, part.float() / 127.5 - 1) for part in frames.split(8)])
        masks = torch.from_numpy(np.stack([d[1] for d in drawn])).float()
        weight = 1 + SUBJECT_WEIGHT * torch.nn.functional.avg_pool2d(masks, 8)[:, None]
    return latents.half().numpy(), weight.half().numpy()


def shard(
    fast: FastPass, language: tuple[Any, Any], rng: np.random.Generator, population: str, people: float
) -> dict[str, Any]:
    """One shard's arrays: {clips,stills}_{latents,weight,words}."""
    out: dict[str, Any] = {}
    for kind, count in (("clips", CLIPS), ("stills", STILLS)):
        some = [scenes.sample(rng, people, full=True, population=population) for _ in range(count)]
        if kind == "stills":
            some = [replace(s, motion="still", camera="") for s in some]
        drawn = [scenes.render(s, frames=KEYS if kind == "clips" else 1) for s in some]
        captions = [scenes.caption(s, rng) for s in some for _ in range(CAPTIONS)]
        if kind == "clips":
            out["clips_often"] = np.array([k for k, s in enumerate(some) if s.motion in OPPOSITES])
        words = np.concatenate(
            [text.embed(*language, captions[k : k + 64]).half().numpy() for k in range(0, len(captions), 64)]
        )
        out[f"{kind}_latents"], out[f"{kind}_weight"] = _encode(fast, drawn)
        out[f"{kind}_words"] = words.reshape(count, CAPTIONS, *words.shape[1:])
    return out


def write(
    run: Path,
    shards: int,
    seed: int = 0,
    population: str = "balanced",
    people: float = PEOPLE,
    rank: int = 0,
    size: int = 1,
) -> None:
    """Fill DIR/bank up to so many shards; the first one measures the latents' scale for DIR/vae, once."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    vae = diffusers.AutoencoderKLWan.from_pretrained(run / "vae").eval().requires_grad_(False)
    folder = run / "bank"
    folder.mkdir(parents=True, exist_ok=True)
    language = text.load()
    for number in range(rank, shards, size):
        file = folder / f"{number:03d}.npz"
        if file.exists():
            continue
        began = time.monotonic()
        made = shard(FastPass(vae), language, np.random.default_rng((seed, number)), population, people)
        if number == 0 and not any(vae.config.latents_mean):
            flat = torch.from_numpy(made["stills_latents"]).float().transpose(0, 1).flatten(1)
            vae.register_to_config(latents_mean=flat.mean(1).tolist(), latents_std=flat.std(1).tolist())
            vae.save_pretrained(run / "vae")
        partial = file.with_suffix(".part")
        with partial.open("wb") as handle:
            np.savez(handle, **made)
        partial.replace(file)
        log.info("shard %d in %.0fs", number, time.monotonic() - began)


class Bank:
    """Batches from the shards that are there."""

    def __init__(self, run: Path, seed: int, drop: float) -> None:
        self.torch = heavy.load("torch")
        diffusers = heavy.load("diffusers")
        config = diffusers.AutoencoderKLWan.load_config(run / "vae")
        shape = (1, -1, 1, 1, 1)
        self.mean = self.torch.tensor(config["latents_mean"]).view(shape)
        self.std = self.torch.tensor(config["latents_std"]).view(shape)
        self.folder, self.rng, self.drop = run / "bank", np.random.default_rng(seed), drop
        self.none = text.embed(*text.load(), [""])[0]
        self.shards: dict[str, dict[str, Any]] = {}
        self.refresh()

    def refresh(self) -> None:
        for file in sorted(self.folder.glob("*.npz")):
            if file.name not in self.shards:
                with np.load(file) as data:
                    self.shards[file.name] = {k: self.torch.from_numpy(data[k]) for k in data.files}

    def batch(self, count: int, stills: bool = False) -> tuple[Any, Any, Any]:
        """Normalised latents (B, z, t, h, w), words (B, L, 384), loss weights (B, 1, t, h, w)."""
        torch, kind = self.torch, "stills" if stills else "clips"
        pools = list(self.shards.values())
        latents, weights, words = [], [], []
        for _ in range(count):
            pool = pools[int(self.rng.integers(len(pools)))]
            k = int(self.rng.integers(len(pool[f"{kind}_latents"])))
            if not stills and self.rng.random() < OFTEN:
                k = int(self.rng.choice(pool["clips_often"].numpy()))
            latents.append(pool[f"{kind}_latents"][k])
            weights.append(pool[f"{kind}_weight"][k])
            words.append(pool[f"{kind}_words"][k, int(self.rng.integers(CAPTIONS))])
        said = torch.stack(words).float()
        said[torch.from_numpy(self.rng.random(count) < self.drop)] = self.none
        x = (torch.stack(latents).float() - self.mean) / self.std
        return x, said, torch.stack(weights).float()

    def captions(self, count: int) -> Any:
        """Token vectors (N, 384) that are not padding, for measuring their spread."""
        some = self.torch.cat(
            [p["clips_words"][:count, 0].flatten(0, 1).float() for p in self.shards.values()]
        )
        return some[some.abs().sum(1) > 0]
