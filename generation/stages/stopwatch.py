"""How long the parts of one pass take, where each part pulls its frames from the one before."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Stopwatch:
    """Wall-clock seconds by name. A part inside another counts for itself alone, not for the outer one."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What runs inside is booked on `name`."""
        self._book()
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def pulled(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """The items; the time it takes to get each is booked on `name`."""
        source = iter(items)
        while True:
            with self.part(name):
                try:
                    item = next(source)
                except StopIteration:
                    return
            yield item

    def seconds(self) -> dict[str, float]:
        """Rounded to milliseconds, in the order in which the parts were first met."""
        return {name: round(value, 3) for name, value in self._seconds.items()}

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            self._seconds[self._open[-1]] += now - self._since
        self._since = now
