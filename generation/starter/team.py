"""One training run shared by several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from byline.audit.base import heavy


class Team:
    """Processes that share one training run: each takes its own clips, and all take the same step.

    One thread per process and one exchange per step: on a busy machine two threads that meet at
    every operation wait for each other most of the time.
    """

    def __init__(self, rank: int = 0, size: int = 1, meeting: Path = Path()) -> None:
        self.rank, self.size = rank, size
        if size > 1:
            self.net = heavy.load("torch.distributed")
            self.net.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)

    def agree(self, parameters: list[Any], rate: float, stop: bool) -> tuple[float, bool]:
        """Average the gradients in place; everyone gets the first process's rate and wish to stop."""
        if self.size == 1:
            return rate, stop
        torch = heavy.load("torch")
        parameters = [p for p in parameters if p.grad is not None]
        first = self.rank == 0
        said = torch.tensor([rate if first else 0.0, float(stop and first)])
        flat = torch.cat([*[p.grad.flatten() / self.size for p in parameters], said])
        flat = self._sum(flat)
        at = 0
        for p in parameters:
            p.grad.copy_(flat[at : at + p.numel()].view_as(p))
            at += p.numel()
        return float(flat[-2]), bool(flat[-1] > 0)

    def _sum(self, flat: Any) -> Any:
        """Half the bytes: the exchange costs as much as the arithmetic otherwise."""
        small = flat.bfloat16()
        self.net.all_reduce(small)
        return small.float()

    def add(self, values: list[Any]) -> None:
        """Add up the processes' values in place."""
        if self.size == 1:
            return
        torch = heavy.load("torch")
        flat = torch.cat([v.flatten() for v in values])
        flat = self._sum(flat)
        at = 0
        for v in values:
            v.copy_(flat[at : at + v.numel()].view_as(v))
            at += v.numel()
