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
from byline.generation.starter import text
from byline.generation.starter.bank import Bank
from byline.generation.starter.muon import Muon
from byline.generation.starter.team import Team

log = logging.getLogger(__name__)

CONFIG: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 8,
    "attention_head_dim": 32,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 384,
    "freq_dim": 128,
    "ffn_dim": 1024,
    "num_layers": 6,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 256,
}
BATCH, STILLS, RATE = 18, 72, 2e-3  # clips or stills of one step
DROP_CAPTION = 0.1
IMAGE_EVERY = 8  # one step in eight is image-to-video
SAVE_EVERY_S = 180.0
_THINGS = ("red ball", "penguin", "guitar", "tiger", "blue car", "robot")
_SITES = ("in the city", "over the sea", "in a room", "at night", "in the snow", "on a stage")
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


def listen(model: Any, tokens: Any) -> None:
    """Start the text projection as a whitening of the token vectors (N, 384).

    MiniLM's "left" and "right" differ in directions of small variance; whitened, they differ as much as
    "red" and "blue" do, and the transformer hears them from the first step.
    """
    torch = heavy.load("torch")
    layer = model.condition_embedder.text_embedder.linear_1
    mean = tokens.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((tokens - mean).T))
    kept = slice(len(values) - layer.weight.shape[0], None)
    with torch.no_grad():
        layer.weight.copy_((vectors[:, kept] / values[kept].clamp_min(1e-6).sqrt()).T)
        layer.bias.copy_(-(layer.weight @ mean))


def tell_apart(model: Any, language: tuple[Any, Any], one: str = "left", other: str = "right") -> None:
    """Give four units of the text projection to the difference of two words, +3 for one, -3 for the other.

    MiniLM's vectors of "left" and "right" in a caption are close even when whitened; without this the first
    1,450 steps learned every motion but which way (docs/starter.md). The units taken are those of least
    variance.
    """
    torch = heavy.load("torch")
    tokenizer, encoder = language
    frames = [f"a {s} {m} {{}} {p}" for s in _THINGS for m in ("moves", "moves to the") for p in _SITES]

    def mean_of(word: str) -> Any:
        said = [frame.format(word) for frame in frames]
        vectors = text.embed(tokenizer, encoder, said)
        tokens = tokenizer(
            said, padding="max_length", max_length=text.MAX_TOKENS, truncation=True, return_tensors="pt"
        )
        return vectors[tokens.input_ids == tokenizer.convert_tokens_to_ids(word)].mean(0)

    first, second = mean_of(one), mean_of(other)
    row = 2 * (first - second) / (first - second).square().sum()
    listener = model.condition_embedder.text_embedder
    with torch.no_grad():
        for unit, sign in enumerate((3.0, 3.0, -3.0, -3.0)):
            listener.linear_1.weight[unit] = sign * row
            listener.linear_1.bias[unit] = -sign * (row @ (first + second)) / 2
            listener.linear_2.weight[:, unit] = torch.randn(len(listener.linear_2.weight)) / 4


def train(
    out: Path,
    minutes: float,
    seed: int = 0,
    rank: int = 0,
    size: int = 1,
    meeting: Path = Path(),
    peak: float = RATE,
) -> None:
    """Train for `minutes` of wall time on DIR/bank, resuming DIR/state.pt where it exists."""
    torch = heavy.load("torch")
    team = Team(rank, size, meeting)
    bank = Bank(out, seed, DROP_CAPTION)
    model = build(seed).train()
    parameters = list(model.parameters())
    plain = ("patch_embedding", "proj_out", "scale_shift_table")
    optimiser = Muon(model.named_parameters(), plain, team=team)
    step, seconds = 0, 0.0
    if (out / "state.pt").exists():
        state = torch.load(out / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, step, seconds = state["average"], state["step"], state["seconds"]
    else:
        listen(model, bank.captions(300))
        tell_apart(model, text.load())
        average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    torch.manual_seed(seed + step + 7919 * rank)
    bank.rng = np.random.default_rng(seed + step + 7919 * rank)
    log.info("transformer %.2fM parameters, from step %d", sum(p.numel() for p in parameters) / 1e6, step)
    names = [k for k, v in model.state_dict().items() if v.is_floating_point()]
    began = saved = time.monotonic()
    # The fused kernel's backward pass takes twice as long on a CPU: 140 tokens are few.
    attention = heavy.load("torch.nn.attention")
    running: dict[str, float] = {}
    stop = False
    while not stop:
        elapsed = time.monotonic() - began
        done = elapsed / (minutes * 60)
        rate = peak * min(1, (step + 1) / 100) * (1 if done < 0.5 else max(0.02, 2 * (1 - done)))
        stills = step % 3 == 0
        image = not stills and step % IMAGE_EVERY == IMAGE_EVERY - 1
        x0, words, weight = bank.batch((STILLS if stills else BATCH) // size, stills)
        plain = attention.sdpa_kernel(attention.SDPBackend.MATH)
        with plain, torch.autocast("cpu", dtype=torch.bfloat16, enabled=BF16):
            loss = flow_loss(model, x0, words, weight, image)
        optimiser.zero()
        loss.backward()
        rate, stop = team.agree(parameters, rate, done >= 1)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step(rate)
        step += 1
        decay = min(0.998, (step + 1) / (step + 12))
        live = model.state_dict()
        torch._foreach_lerp_([average[k] for k in names], [live[k] for k in names], 1 - decay)
        kind = "image" if image else "stills" if stills else "clips"
        running[kind] = 0.98 * running.get(kind, loss.item()) + 0.02 * loss.item()
        if rank == 0 and step % 50 == 0:
            told = " ".join(f"{k} {v:.4f}" for k, v in sorted(running.items()))
            log.info("step %d %.0fs %s rate %.1e", step, elapsed, told, rate)
        if rank == 0 and (stop or time.monotonic() - saved > SAVE_EVERY_S):
            save(out, model, optimiser, average, step, seconds + elapsed)
            saved = time.monotonic()
            bank.refresh()
    log.info("stopped at step %d after %.0f s in all", step, seconds + elapsed)


def save(out: Path, model: Any, optimiser: Any, average: dict[str, Any], step: int, seconds: float) -> None:
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    shown = diffusers.WanTransformer3DModel(**CONFIG)
    shown.load_state_dict(average)
    shown.save_pretrained(out / "transformer")
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average,
        "step": step,
        "seconds": seconds,
    }
    torch.save(state, out / "state.tmp")
    (out / "state.tmp").replace(out / "state.pt")
