"""The next person of a ledger: largest deficit first over the joint table, seeded, replayable.

Promises: with the same counts, target and seed the same cells follow; after n draws no cell of a
uniform table is more than one draw from its share, and the margins are as even as they can be on the
way. Whoever holds the counts (byline.generation.fairness.ledger) must hold them locked while drawing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping

from byline.safety.fairness.attributes import Target


class Quota:
    """Draws over one brand's tables. `draws` is what was drawn, in order; `counts` goes on from what was."""

    def __init__(self, target: Target, counts: Mapping[str, int], seed: int) -> None:
        self.target = target
        self.draws: list[str] = []
        self._counts = Counter({cell: int(count) for cell, count in counts.items()})
        self._seed = seed

    def draw(self, table: str, fixed: Mapping[str, str] | None = None, without: Collection[str] = ()) -> str:
        """The next cell of a table among those with the `fixed` values and none of the values `without`.

        A fixed value that the table does not have is ignored. Order: the cell's deficit, the deficits
        of its values, a keyed hash.
        """
        cells = self.target.cells(table)
        shares = self.target.shares_in(table)
        total = sum(self._counts[cell] for cell in cells) + 1
        margins: Counter[tuple[str, str]] = Counter()
        values = self.target.readings
        for cell in cells:
            if count := self._counts[cell]:
                for item in values[cell].items():
                    margins[item] += count
        wanted = {a: v for a, v in (fixed or {}).items() if v in shares.get(a, {})}

        def fits(cell: str) -> bool:
            read = values[cell]
            return all(read[a] == v for a, v in wanted.items()) and not set(read.values()) & set(without)

        def need(cell: str) -> tuple[float, bytes]:
            sides = sum(total * shares[a][v] - margins[a, v] for a, v in values[cell].items())
            key = f"{self._seed}|{total}|{len(self.draws)}|{cell}".encode()
            return round(sides, 9), hashlib.sha256(key).digest()

        possible = [cell for cell in cells if fits(cell)] or list(cells)
        furthest = max(round(total * cells[cell] - self._counts[cell], 9) for cell in possible)
        chosen = max(
            (c for c in possible if round(total * cells[c] - self._counts[c], 9) == furthest), key=need
        )
        self._counts[chosen] += 1
        self.draws.append(chosen)
        return chosen
