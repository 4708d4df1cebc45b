"""Tune the upper half of MiniLM on the moderation labels, several categories at once.

    OMP_NUM_THREADS=2 python -m byline.safety.training.fine_tune --data DIR --out FOLDER

Promises: reads no reserved text and no OpenAI moderation sample, so that cross-validation on those
samples says something about the encoder that ships. Layers 1 to 3 stay as they are and run once per
text; layers 4 to 6 and a throw-away linear head are trained with binary cross-entropy over the
labels that are known. Writes FOLDER/upper.safetensors for export_encoder. About ten minutes on
two idle cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.safety.categories import CATEGORIES
from byline.safety.training.datasets import Row, load
from byline.safety.training.export_encoder import FROZEN, model_directory, pooled, upper_layers

TOKENS = 160  # longer texts are cut in training
BATCH = 32
EPOCHS = 3
RATE = 1e-4
SEED = 9


def rows_to_learn(data: Path) -> list[Row]:
    return [r for r in load(data) if not r.reserved and r.source != "openai_moderation"]


def tune(data: Path, out: Path, write: Callable[[str], Any]) -> None:
    from safetensors.torch import save_file

    torch = heavy.load("torch")
    transformers = heavy.load("transformers")
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    rows = rows_to_learn(data)
    names = [*CATEGORIES, "any"]
    labels = np.array(
        [[r.labels.get(c, -1) for c in CATEGORIES] + [-1 if r.unsafe is None else r.unsafe] for r in rows]
    )
    weights = np.array([r.weight for r in rows])
    base = transformers.AutoModel.from_pretrained(model_directory()).eval()
    lower = _lower(torch, transformers, base, [r.text for r in rows])
    upper = upper_layers(base)
    head = torch.nn.Linear(base.config.hidden_size, len(names))
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.constant_(head.bias, -2.0)
    known = (labels >= 0) * weights[:, None]
    positives, negatives = (known * (labels == 1)).sum(0) + 1, (known * (labels == 0)).sum(0) + 1
    balance = torch.tensor(np.clip(np.sqrt(negatives / positives), 1, 6), dtype=torch.float32)
    importance = torch.tensor([1.0] * len(CATEGORIES) + [3.0])
    groups = [{"params": upper.parameters(), "rate": RATE}, {"params": head.parameters(), "rate": 20 * RATE}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, weight_decay=0.01)
    steps = EPOCHS * -(-len(rows) // BATCH)
    write(f"{len(rows)} texts, {steps} steps\n")
    step, total = 0, 0.0
    for _ in range(EPOCHS):
        upper.train()
        for chosen in _batches([len(h) for h in lower], rng):
            for group in optimiser.param_groups:
                group["lr"] = group["rate"] * min(1.0, 10 * step / steps) * (1 - step / steps)
            hidden, mask = _padded(torch, [lower[i] for i in chosen])
            logits = head(torch.nn.functional.dropout(pooled(upper, hidden, mask) * 4, 0.1))
            target = torch.tensor(labels[chosen].clip(min=0), dtype=torch.float32)
            share = torch.tensor(known[chosen], dtype=torch.float32) * importance
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, target, pos_weight=balance, reduction="none"
            )
            loss = (loss * share).sum() / share.sum()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 1.0)
            optimiser.step()
            step, total = step + 1, total + float(loss)
            if step % 100 == 0:
                write(f"step {step}: mean loss {total / step:.4f}\n")
    out.mkdir(parents=True, exist_ok=True)
    save_file(upper.state_dict(), str(out / "upper.safetensors"))


def _lower(torch: Any, transformers: Any, base: Any, texts: list[str]) -> list[np.ndarray]:
    """Per text the hidden states (T, 384), float16, that leave the frozen layers."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_directory())
    ids = tokenizer(texts, truncation=True, max_length=TOKENS)["input_ids"]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    out: list[np.ndarray] = [np.empty(0)] * len(ids)
    kept = base.encoder.layer
    base.encoder.layer = kept[:FROZEN]
    with torch.no_grad():
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            padded = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
            hidden = base(**padded).last_hidden_state
            for row, i in zip(hidden, batch, strict=True):
                out[i] = row[: len(ids[i])].numpy().astype(np.float16)
    base.encoder.layer = kept
    return out


def _batches(lengths: list[int], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of about equal length, in random order."""
    order = np.argsort(np.array(lengths) * rng.uniform(0.8, 1.2, len(lengths)))
    parts = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    yield from (parts[i] for i in rng.permutation(len(parts)))


def _padded(torch: Any, states: list[np.ndarray]) -> tuple[Any, Any]:
    longest = max(map(len, states))
    hidden = torch.zeros(len(states), longest, states[0].shape[1])
    mask = torch.zeros(len(states), longest, dtype=torch.long)
    for row, state in enumerate(states):
        hidden[row, : len(state)] = torch.from_numpy(state.astype(np.float32))
        mask[row, : len(state)] = 1
    return hidden, mask


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.safety.training.fine_tune")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder for upper.safetensors")
    options = parser.parse_args(argv)

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    tune(options.data, options.out, write)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
