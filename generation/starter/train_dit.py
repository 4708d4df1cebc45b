"""Train the starter's transformer: flow matching on encoded clips, with MiniLM token vectors.

Every seventh batch shows the first latent frame clean with per-token time 0, the convention of
Wan 2.2's image-to-video pipeline (`expand_timesteps`), so one transformer serves text-to-video
and image-to-video. Resumes from DIR/state.pt; the averaged weights are saved every few minutes.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.starter import scenes, text
from byline.generation.starter.fast_vae import FastPass
from byline.generation.starter.train_vae import encode_keys

log = logging.getLogger(__name__)

CONFIG: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 8,
    "attention_head_dim": 32,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 384,
    "freq_dim": 128,
    "ffn_dim": 768,
    "num_layers": 6,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 256,
}
POOL, CAPTIONS, BATCH, RATE = 1200, 4, 16, 1.4e-3
KEYS = 1 + (scenes.FRAMES - 1) // 4  # the autoencoder's latents are those of every fourth frame (train_vae)
DROP_CAPTION = 0.1
IMAGE_EVERY = 7  # one batch in seven is image-to-video
SUBJECT_WEIGHT = 1.5
SAVE_EVERY_S = 180.0
BF16 = True  # measured faster than float32 on AVX-512 cores: 0.59 s against 1.2 s a step


def build(seed: int = 0) -> Any:
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    torch.manual_seed(seed)
    model = diffusers.WanTransformer3DModel(**CONFIG)
    point_heads(model)
    return model


def point_heads(model: Any) -> None:
    """Let the first layer's heads look up, down, left and right.

    Wan's rotary positions are relative: in pure noise only the missing neighbours beyond an edge
    say where a patch is. Heads that start by looking one way find the edges at once; left to
    chance, the layout of a scene is learned late.
    """
    torch = heavy.load("torch")
    heads, width = CONFIG["num_attention_heads"], CONFIG["attention_head_dim"]
    side = 2 * (width // 6)
    sizes = (width - 2 * side, side, side)  # frequencies for time, rows, columns
    offsets = ((0, -1, 0), (0, 1, 0), (0, 0, -2), (0, 0, 2), (-1, 0, 0), (1, 0, 0))
    attention = model.blocks[0].attn1
    with torch.no_grad():
        for head in range(heads):
            query = []
            for size, offset in zip(sizes, offsets[head % len(offsets)], strict=True):
                pairs = torch.arange(size // 2, dtype=torch.float64)
                angle = offset / (10000.0 ** (2 * pairs / size))
                query.append(torch.stack([angle.cos(), angle.sin()], -1).flatten())
            rows = slice(head * width, (head + 1) * width)
            attention.to_q.bias[rows] = torch.cat(query).float() * 1.2
            attention.to_k.bias[rows] = torch.tensor([1.0, 0.0]).repeat(width // 2) * 1.2


class Clips:
    """Encoded clips, their captions' token vectors and the subject's place, all in memory."""

    def __init__(self, vae: Any, seed: int, size: int) -> None:
        self.torch = heavy.load("torch")
        self.rng = np.random.default_rng(seed)
        self.fast = FastPass(vae)
        self.tokenizer, self.encoder = text.load()
        self.latents: Any = self.torch.empty(size, 16, 5, scenes.HEIGHT // 8, scenes.WIDTH // 8)
        self.weight: Any = self.torch.empty(size, 1, 5, scenes.HEIGHT // 8, scenes.WIDTH // 8)
        self.words: Any = self.torch.empty(size, CAPTIONS, text.MAX_TOKENS, 384, dtype=self.torch.float16)
        self.none = text.embed(self.tokenizer, self.encoder, [""])
        self.at = 0
        while self.at < size:
            self.add(min(50, size - self.at))
        flat = self.latents.transpose(0, 1).flatten(1)
        self.mean, self.std = flat.mean(1), flat.std(1)

    def add(self, count: int) -> None:
        """Draw, encode and describe `count` more clips; the oldest make room."""
        torch = self.torch
        some = [scenes.sample(self.rng) for _ in range(count)]
        drawn = [scenes.render(s, frames=KEYS) for s in some]
        captions = [scenes.caption(s, self.rng) for s in some for _ in range(CAPTIONS)]
        words = text.embed(self.tokenizer, self.encoder, captions).half()
        where = torch.tensor([(self.at + k) % len(self.latents) for k in range(count)])
        self.words[where] = words.unflatten(0, (count, CAPTIONS))
        with torch.no_grad():
            for part in range(0, count, 4):
                frames = np.stack([d[0] for d in drawn[part : part + 4]])
                x = torch.from_numpy(frames).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
                self.latents[where[part : part + 4]] = encode_keys(self.fast, x)
        masks = torch.from_numpy(np.stack([d[1] for d in drawn])).float()
        self.weight[where] = 1 + SUBJECT_WEIGHT * torch.nn.functional.avg_pool2d(masks, 8)[:, None]
        self.at += count

    def batch(self, count: int) -> tuple[Any, Any, Any]:
        """Normalised latents (B, 16, 5, h, w), words (B, L, 384), loss weights (B, 1, 5, h, w)."""
        torch = self.torch
        which = torch.from_numpy(self.rng.integers(0, len(self.latents), count))
        words = self.words[which, torch.from_numpy(self.rng.integers(0, CAPTIONS, count))].float()
        words[torch.from_numpy(self.rng.random(count) < DROP_CAPTION)] = self.none[0]
        shape = (1, -1, 1, 1, 1)
        return (self.latents[which] - self.mean.view(shape)) / self.std.view(shape), words, self.weight[which]


def flow_loss(model: Any, x0: Any, words: Any, weight: Any, image: bool) -> Any:
    """Rectified flow: predict noise - clip at a logit-normal time. `image` keeps frame 0 clean, at time 0."""
    torch = heavy.load("torch")
    b = x0.shape[0]
    late = torch.arange(b) % 2  # every other clip is nearly noise: where place and motion are decided
    time_ = torch.sigmoid(torch.randn(b) * 1.2 + 0.2 + 1.6 * late)
    noise = torch.randn_like(x0)
    s = time_.view(-1, 1, 1, 1, 1)
    xt = (1 - s) * x0 + s * noise
    timestep = time_ * 1000
    if image:
        xt[:, :, 0] = x0[:, :, 0]
        weight = weight.clone()
        weight[:, :, 0] = 0
        rows, columns = x0.shape[3] // 2, x0.shape[4] // 2
        timestep = timestep[:, None].repeat(1, x0.shape[2] * rows * columns)
        timestep[:, : rows * columns] = 0
    out = model(hidden_states=xt, timestep=timestep, encoder_hidden_states=words, return_dict=False)[0]
    return ((out.float() - (noise - x0)).square() * weight).sum() / (weight.sum() * x0.shape[1])


class Team:
    """Processes that share one training run: each takes its own clips, and all take the same step.

    One thread per process and one exchange per step: on a busy machine two threads that meet at
    every operation wait for each other most of the time.
    """

    def __init__(self, rank: int, size: int, meeting: Path) -> None:
        self.rank, self.size = rank, size
        if size > 1:
            self.net = heavy.load("torch.distributed")
            self.net.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)

    def agree(self, parameters: list[Any], rate: float, stop: bool) -> tuple[float, bool]:
        """Average the gradients in place; everyone gets the first process's rate and wish to stop."""
        if self.size == 1:
            return rate, stop
        torch = heavy.load("torch")
        first = self.rank == 0
        said = torch.tensor([rate if first else 0.0, float(stop and first)])
        flat = torch.cat([*[p.grad.flatten() / self.size for p in parameters], said])
        self.net.all_reduce(flat)
        at = 0
        for p in parameters:
            p.grad.copy_(flat[at : at + p.numel()].view_as(p))
            at += p.numel()
        return float(flat[-2]), bool(flat[-1] > 0)


def train(
    out: Path,
    minutes: float,
    seed: int = 0,
    rank: int = 0,
    size: int = 1,
    meeting: Path = Path(),
    peak: float = RATE,
) -> None:
    """Train for `minutes` of wall time on top of DIR/vae, resuming DIR/state.pt where it exists."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    team = Team(rank, size, meeting)
    vae = diffusers.AutoencoderKLWan.from_pretrained(out / "vae").eval().requires_grad_(False)
    model = build(seed).train()
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01, foreach=True)
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    step, state = 0, None
    if (out / "state.pt").exists():
        state = torch.load(out / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, step = state["average"], state["step"]
    torch.manual_seed(seed + step + 7919 * rank)
    log.info("transformer %.2fM parameters, from step %d", sum(p.numel() for p in parameters) / 1e6, step)
    encoded = time.monotonic()
    clips = Clips(vae, seed + 7 + step + 7919 * rank, POOL // size)
    log.info("encoded %d clips in %.0fs", POOL // size, time.monotonic() - encoded)
    scale = (torch.tensor(vae.config.latents_mean), torch.tensor(vae.config.latents_std))
    if float(scale[0].abs().max()) > 0:  # measured once: the latents' scale belongs to the model
        clips.mean, clips.std = scale
    elif size == 1:
        vae.register_to_config(latents_mean=clips.mean.tolist(), latents_std=clips.std.tolist())
        vae.save_pretrained(out / "vae")
    else:
        raise ValueError("measure the latents' scale first: run once with one worker")
    names = [k for k, v in model.state_dict().items() if v.is_floating_point()]
    began = saved = time.monotonic()
    running, stop = None, False
    while not stop:
        elapsed = time.monotonic() - began
        done = elapsed / (minutes * 60)
        rate = peak * min(1, (step + 1) / 100) * (1 if done < 0.55 else max(0.02, (1 - done) / 0.45))
        x0, words, weight = clips.batch(BATCH // size)
        image = step % IMAGE_EVERY == IMAGE_EVERY - 1
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=BF16):
            loss = flow_loss(model, x0, words, weight, image)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        rate, stop = team.agree(parameters, rate, done >= 1)
        for group in optimiser.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        decay = min(0.997, (step + 1) / (step + 12))
        live = model.state_dict()
        torch._foreach_lerp_([average[k] for k in names], [live[k] for k in names], 1 - decay)
        if not image:
            running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 10 == 0:
            clips.add(8 // size)
        if step % 50 == 0 and rank == 0:
            log.info("step %d %.0fs loss %.4f rate %.1e", step, elapsed, running or 0.0, rate)
        if rank == 0 and (stop or time.monotonic() - saved > SAVE_EVERY_S):
            save(out, model, optimiser, average, step)
            saved = time.monotonic()
    log.info("stopped at step %d", step)


def save(out: Path, model: Any, optimiser: Any, average: dict[str, Any], step: int) -> None:
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    shown = diffusers.WanTransformer3DModel(**CONFIG)
    shown.load_state_dict(average)
    shown.save_pretrained(out / "transformer")
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average,
        "step": step,
    }
    torch.save(state, out / "state.tmp")
    (out / "state.tmp").replace(out / "state.pt")
