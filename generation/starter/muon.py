"""Muon with AdamW beside it: orthogonalised momentum for matrices and convolutions (Jordan et al., 2024).

The update of a weight matrix is its momentum with all singular values set near one by five Newton-Schulz
steps, scaled so that its root mean square is that of AdamW (Moonlight, arXiv 2502.16982); so both parts
share one learning rate. Convolutions are taken as (out, everything else). Vectors, embeddings and whatever
is named in `plain` go to AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from byline.audit.base import heavy
from byline.generation.starter.team import Team


def orthogonal(g: Any) -> Any:
    """Newton-Schulz towards the nearest semi-orthogonal matrix of g (rows, columns)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        m = x @ x.T
        x = a * x + (b * m + c * (m @ m)) @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon:
    """Steps over `named` parameters. In a team, each process makes its share of the updates and they are
    added up."""

    def __init__(
        self,
        named: Iterable[tuple[str, Any]],
        plain: tuple[str, ...] = (),
        decay: float = 0.01,
        team: Team | None = None,
    ) -> None:
        self.torch, self.team = heavy.load("torch"), team or Team()
        named = [(n, p) for n, p in named if p.requires_grad]
        matrix = {
            n
            for n, p in named
            if p.ndim >= 2 and min(p.flatten(1).shape) > 8 and not any(k in n for k in plain)
        }
        self.matrices = [p for n, p in named if n in matrix]
        self.momentum = [self.torch.zeros_like(p) for p in self.matrices]
        self.adam = self.torch.optim.AdamW(
            [p for n, p in named if n not in matrix],
            lr=1e-3,
            betas=(0.9, 0.98),
            weight_decay=0.0,
            foreach=True,
        )
        self.decay = decay

    def step(self, rate: float) -> None:
        torch = self.torch
        with torch.no_grad():
            moved = [(p, m) for p, m in zip(self.matrices, self.momentum, strict=True) if p.grad is not None]
            updates = []
            for k, (p, m) in enumerate(moved):
                m.lerp_(p.grad, 0.05)
                if k % self.team.size == self.team.rank:
                    flat = p.grad.lerp(m, 0.95).flatten(1)
                    size = 0.2 * max(flat.shape) ** 0.5
                    updates.append((orthogonal(flat.bfloat16()).float() * size).view_as(p))
                else:
                    updates.append(torch.zeros_like(p))
            self.team.add(updates)
            for (p, _), update in zip(moved, updates, strict=True):
                p.mul_(1 - rate * self.decay).add_(update, alpha=-rate)
        for group in self.adam.param_groups:
            group["lr"] = 0.4 * rate
        self.adam.step()

    def zero(self) -> None:
        for p in self.matrices:
            p.grad = None
        self.adam.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for mine, given in zip(self.momentum, state["momentum"], strict=True):
            mine.copy_(given)
        self.adam.load_state_dict(state["adam"])
