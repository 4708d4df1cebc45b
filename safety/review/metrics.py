"""How review is doing: queue, overdue, time to decision, overturned, dismissed, agreement. No names.

Promise: every share stands beside its n, and one without an n is None, never 0 or 100 %.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

from django.utils import timezone

from byline.safety.review.agreement import krippendorff_alpha, measure
from byline.safety.review.models import Case, Decision

_RATINGS = (Case.Source.SECOND, Case.Source.REPEAT)


def metrics(days: int = 90, now: datetime | None = None) -> dict[str, Any]:
    """Figures of the queue as it is, and of the decisions of the last `days`."""
    moment = now or timezone.now()
    waiting = list(
        Case.objects.filter(state=Case.State.OPEN, not_before__lte=moment).values_list(
            "source", "opened_at", "due_at"
        )
    )
    made = list(
        Decision.objects.filter(decided_at__gt=moment - timedelta(days=days)).select_related(
            "case", "case__original"
        )
    )
    real = [item for item in made if not item.case.is_rating]
    took = [(item.decided_at - item.case.opened_at).total_seconds() / 3600 for item in real]
    appeals = [item for item in real if item.case.source == Case.Source.APPEAL]
    reports = [item for item in real if item.case.source == Case.Source.REPORT]
    sampled = [item for item in real if item.case.source == Case.Source.SAMPLE]
    return {
        "as_of": moment.isoformat(),
        "days": days,
        "queue": {
            "open": len(waiting),
            "overdue": sum(due < moment for _, _, due in waiting),
            "oldest_hours": _hours(moment - min((at for _, at, _ in waiting), default=moment)),
            "by_source": {
                name: sum(source == name for source, _, _ in waiting) for name in Case.Source.values
            },
        },
        "decisions": {
            "n": len(real),
            "in_time": _share(item.decided_at <= item.case.due_at for item in real),
            "hours_median": round(median(took), 2) if took else None,
            "hours_p90": round(quantiles(took, n=10)[-1], 2) if len(took) > 1 else None,
        },
        "appeals": {"n": len(appeals), "overturned": _share(a.outcome == "overturn" for a in appeals)},
        "reports": {"n": len(reports), "dismissed": _share(r.outcome == "keep" for r in reports)},
        "sample": {"n": len(sampled), "wrongly_allowed": _share(s.outcome == "withdraw" for s in sampled)},
        "agreement": _agreement(),
    }


def _agreement() -> dict[str, Any]:
    """Second raters and repeats, over all time: there are few of them."""
    rated = Decision.objects.filter(case__source__in=_RATINGS).select_related("case__original__decision")
    pairs: dict[str, list[tuple[str, str]]] = {"second": [], "repeat": []}
    units: dict[Any, list[str]] = {}
    for item in rated:
        original = item.case.original
        if original is None:
            continue
        first = original.decision.outcome
        pairs[item.case.source].append((first, item.outcome))
        if item.case.source == Case.Source.SECOND:
            units.setdefault(original.pk, [first]).append(item.outcome)
    alpha = krippendorff_alpha(units.values())
    return {
        "second_raters": _figures(pairs["second"]) | {"krippendorff_alpha": _rounded(alpha)},
        "same_person_again": _figures(pairs["repeat"]),
    }


def _figures(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found = measure(pairs)
    return {
        "n": found.n,
        "same": _rounded(found.same),
        "cohen_kappa": _rounded(found.kappa),
        "interval_95": [round(value, 3) for value in found.interval] if found.interval else None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _share(values: Iterable[bool]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 3) if found else None


def _hours(span: timedelta) -> float:
    return round(span.total_seconds() / 3600, 2)
