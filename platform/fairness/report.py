"""The bias report of one brand and time: prompts, ledger, editors' answers and, measured, outputs.

Promises: every figure says how many people it stands on and has a 95 % bootstrap interval; "before" are
the briefs as written, "after" the prompts that went to the model; people whom a text leaves open are
counted as open, not spread over the groups. Outputs come from frames (generation/measuring.py) and only
then stand beside the target; otherwise the report says "not measured" and why. No text, no name leaves here.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils import timezone

from byline.audit.base.errors import InvalidInput
from byline.generation import brands
from byline.generation.models import QuotaLedger, Rewrite, StageRun
from byline.safety.fairness import attributes
from byline.safety.fairness.statistics import Balance, Drift, balance, drift

_ANSWERED = (Rewrite.Decision.ACCEPTED, Rewrite.Decision.EDITED, Rewrite.Decision.REFUSED)
_TURNED_DOWN = (Rewrite.Decision.EDITED, Rewrite.Decision.REFUSED)
_MAX_DAYS = 3660


@dataclass(frozen=True)
class Side:
    """One attribute on one side: those of whom it is known, against the target; `open` says how many
    people the texts leave open (0 for outputs)."""

    balance: Balance
    open: int


@dataclass(frozen=True)
class Outputs:
    """What was measured on frames. `sides` is empty while nothing was, and `why` says the reason."""

    clips: int
    people: int
    nobody: int
    not_measured: Mapping[str, int]
    classifier: str
    accuracy: Mapping[str, float]
    sides: Mapping[str, Balance]
    why: str


@dataclass(frozen=True)
class Report:
    """`turned_down` is, by attribute and value, (people edited or refused, people proposed)."""

    brand: str
    since: datetime.date
    until: datetime.date
    target: Mapping[str, Mapping[str, float]]
    target_sha256: str
    other_targets: int
    prompts: int
    decisions: Mapping[str, int]
    before: Mapping[str, Side]
    after: Mapping[str, Side]
    ledger: Balance
    turned_down: Mapping[str, Mapping[str, tuple[int, int]]]
    drift: Mapping[str, Drift]
    outputs: Outputs

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, dates as text."""
        return asdict(self) | {"since": self.since.isoformat(), "until": self.until.isoformat()}


def report(brand: str, *, since: datetime.date | None = None, until: datetime.date | None = None) -> Report:
    """The report of a brand from `since` to `until`, both included; 90 days to today by default.
    UnknownBrand; InvalidInput for days out of order."""
    name = brands.load(brand or brands.DEFAULT).name
    until = until or timezone.now().date()
    since = since or until - datetime.timedelta(days=89)
    if not 0 <= (until - since).days <= _MAX_DAYS:
        raise InvalidInput("The first day must be before the last, by ten years at most.")
    target = attributes.for_brand(name)
    span = (_midnight(since), _midnight(until + datetime.timedelta(days=1)))
    rows = list(
        Rewrite.objects.filter(
            brand=name, created_at__gte=span[0], created_at__lt=span[1], request__isnull=False
        )
        .only("decision", "asked", "shown", "draws", "attributes", "target_sha256", "created_at")
        .order_by("created_at")
    )
    cells = target.cells("adult")
    drawn = QuotaLedger.counts(name)
    return Report(
        brand=name,
        since=since,
        until=until,
        target=target.shares,
        target_sha256=target.sha256,
        other_targets=len({row.target_sha256 for row in rows} - {target.sha256}),
        prompts=len(rows),
        decisions=dict(Counter(str(row.decision) for row in rows)),
        before=_sides([person for row in rows for person in row.asked], target),
        after=_sides([person for row in rows for person in row.shown], target),
        ledger=balance({cell: drawn.get(cell, 0) for cell in cells}, cells, sample=False),
        turned_down=_turned_down(rows, target),
        drift=_drift(rows, target),
        outputs=_outputs(name, span, target),
    )


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def _counts(people: Iterable[Mapping[str, str]], name: str, target: attributes.Target) -> Counter[str]:
    return Counter(p[name] for p in people if p.get(name) in target.shares[name])


def _sides(people: Sequence[Mapping[str, str]], target: attributes.Target) -> dict[str, Side]:
    made = {}
    for name, shares in target.shares.items():
        counts = _counts(people, name, target)
        made[name] = Side(balance(counts, shares), len(people) - sum(counts.values()))
    return made


def _turned_down(rows: Sequence[Rewrite], target: attributes.Target) -> dict[str, dict[str, tuple[int, int]]]:
    """Whether editors send some people back more often than others, of the proposals that they answered."""
    down: Counter[tuple[str, str]] = Counter()
    every: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.decision not in _ANSWERED or row.target_sha256 != target.sha256:
            continue
        for cell in row.draws:
            for item in target.read(cell).items():
                every[item] += 1
                down[item] += row.decision in _TURNED_DOWN
    return {
        name: {value: (down[name, value], every[name, value]) for value in shares}
        for name, shares in target.shares.items()
    }


def _drift(rows: Sequence[Rewrite], target: attributes.Target) -> dict[str, Drift]:
    months: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        months.setdefault(f"{row.created_at:%Y-%m}", []).extend(row.shown)
    return {
        name: drift([(month, _counts(people, name, target)) for month, people in months.items()], shares)
        for name, shares in target.shares.items()
    }


def _outputs(
    brand: str, span: tuple[datetime.datetime, datetime.datetime], target: attributes.Target
) -> Outputs:
    runs = StageRun.objects.filter(
        stage="engine", current=True, passed=True, request__brand=brand,
        request__created_at__gte=span[0], request__created_at__lt=span[1],
    ).values_list("produces__people", flat=True)  # fmt: skip
    measured = [found for found in runs if found and found["status"] == "measured"]
    missing = Counter(found["why"] for found in runs if found and found["status"] != "measured")
    latest = measured[-1] if measured else None
    # Figures of two classifiers are not added up: the report shows the latest one's.
    same = [found for found in measured if latest and found["classifier"] == latest["classifier"]]
    shots = [shot for found in same for shot in found["shots"]]
    people = [shot for shot in shots if shot]
    sides = {}
    for name, values in (latest["values"] if latest else {}).items():
        if name in target.shares:
            wanted = {own: sum(target.shares[name].get(v, 0.0) for v in ours) for own, ours in values.items()}
            counts = Counter(shot[name] for shot in people if wanted.get(shot.get(name, "")))
            sides[name] = balance(counts, {own: share for own, share in wanted.items() if share > 0})
    if len(same) < len(measured):
        missing["measured by an earlier classifier"] += len(measured) - len(same)
    return Outputs(
        clips=len(same),
        people=len(people),
        nobody=len(shots) - len(people),
        not_measured=dict(missing),
        classifier=latest["classifier"] if latest else "",
        accuracy=latest["accuracy"] if latest else {},
        sides=sides,
        why="" if latest else "not measured: " + ("; ".join(missing) or "no clip with one person was made"),
    )
