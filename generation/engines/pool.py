"""Keeps models loaded between jobs, as many as memory holds, and lets the longest unused go first.

One pool per process. An engine that can be unloaded asks for its place with `using`; it stays loaded
while anybody uses it, and afterwards until another engine on the same device needs the room. What needs
more than the whole budget still runs, alone. `MODEL_POOL_GIB` sets the budget of each device; 0 means
nine tenths of a GPU's memory, or half of the machine's.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from byline.audit.base import conf, heavy

_SHARE_OF_GPU, _SHARE_OF_MACHINE = 0.9, 0.5


@runtime_checkable
class Resident(Protocol):
    """An engine whose weights can be loaded ahead of a job and let go after it."""

    @property
    def place(self) -> str:
        """The device: "cpu", "cuda", "cuda:1"."""
        ...

    @property
    def needs_gib(self) -> float:
        """Memory on that device while it works."""
        ...

    @property
    def is_loaded(self) -> bool: ...

    def load(self) -> None:
        """Load the weights; nothing where they are loaded. Raises what `generate` would."""
        ...

    def unload(self) -> None:
        """Give the memory back. Never called while somebody uses the engine."""
        ...


@dataclass
class _Place:
    device: str
    gib: float
    users: int = 0
    last: int = 0


class Pool:
    """`budget` gives the GiB that models may take on a device."""

    def __init__(self, budget: Callable[[str], float]) -> None:
        self._budget = budget
        self._changed = threading.Condition()
        # An engine that nobody else holds any more leaves by itself.
        self._places: weakref.WeakKeyDictionary[Resident, _Place] = weakref.WeakKeyDictionary()
        self._turn = 0

    @contextlib.contextmanager
    def using(self, engine: Resident) -> Iterator[None]:
        """The engine is loaded and stays so until the block ends. Waits while others need the room."""
        self._enter(engine)
        try:
            engine.load()
            yield
        finally:
            self._leave(engine)

    def loaded(self) -> tuple[Resident, ...]:
        """Engines with a place, the longest unused first."""
        with self._changed:
            return tuple(sorted(self._places, key=lambda engine: self._places[engine].last))

    def empty(self) -> None:
        """Unload all that nobody uses."""
        with self._changed:
            for engine in self._idle():
                self._evict(engine)

    def _enter(self, engine: Resident) -> None:
        device, needed = engine.place, engine.needs_gib
        with self._changed:
            while engine not in self._places and not self._make_room(device, needed):
                self._changed.wait()
            place = self._places.setdefault(engine, _Place(device, needed))
            place.users += 1

    def _leave(self, engine: Resident) -> None:
        with self._changed:
            place = self._places[engine]
            self._turn += 1
            place.users, place.last = place.users - 1, self._turn
            if not place.users and not engine.is_loaded:  # loading failed
                del self._places[engine]
            self._changed.notify_all()

    def _make_room(self, device: str, needed: float) -> bool:
        """Evict idle engines of this device until `needed` fits. False: those that stay are in use."""
        budget = self._budget(device)
        while self._taken(device) + needed > budget:
            idle = self._idle(device)
            if not idle:
                return self._taken(device) == 0.0  # larger than the budget, but alone
            self._evict(idle[0])
        return True

    def _idle(self, device: str | None = None) -> list[Resident]:
        found = [e for e, p in self._places.items() if not p.users and device in (None, p.device)]
        return sorted(found, key=lambda engine: self._places[engine].last)

    def _evict(self, engine: Resident) -> None:
        del self._places[engine]
        engine.unload()

    def _taken(self, device: str) -> float:
        return sum(place.gib for place in self._places.values() if place.device == device)


def budget_gib(device: str) -> float:
    """What the setting says, or the share of the device's memory."""
    if own := float(conf.get("MODEL_POOL_GIB")):
        return own
    if device.startswith("cuda"):
        torch = heavy.load("torch")
        if not torch.cuda.is_available():  # loading says so
            return math.inf
        return _SHARE_OF_GPU * float(torch.cuda.get_device_properties(device).total_memory) / 2**30
    return _SHARE_OF_MACHINE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


shared = Pool(budget_gib)
