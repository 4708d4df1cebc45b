"""Live evidence for a compliance export: what this installation can show right now, counted.

Promise: a probe looks at rows, files and settings of this site and says "shown", "not shown" or
"nothing yet" with the figures it found; none repeats a claim. What only a person can do is no probe.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.urls import reverse

from byline.audit.base import conf, keyring
from byline.audit.models import Checkpoint, Cosignature, Entry, SealedLeaf
from byline.generation.models import GenerationRequest, StageRun
from byline.generation.states import State
from byline.platform.ledger import retention, witnesses
from byline.platform.models import ApiToken, StatusChange
from byline.provenance import profiles, reading
from byline.provenance.models import Record
from byline.provenance.trust import TrustBundle
from byline.safety import policy
from byline.safety.models import Consent
from byline.safety.review.metrics import metrics
from byline.safety.review.models import Report

SHOWN, NOT_SHOWN, NOTHING_YET = "shown", "not shown", "nothing yet"
_YEAR = timedelta(days=365)
_SAMPLE = 20  # newest clips whose manifests are opened
_MADE = [State.READY.value, State.PUBLISHED.value]


@dataclass(frozen=True)
class Evidence:
    """What one probe found. `facts` are counts, dates and settings, never names or texts of people."""

    status: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def _of(count: int, good: int, **facts: Any) -> Evidence:
    status = NOTHING_YET if not count else SHOWN if good == count else NOT_SHOWN
    return Evidence(status, facts)


def manifests(now: datetime) -> Evidence:
    """Signed and stamped C2PA manifests of the newest clips, validated again under our own roots."""
    rows = list(Record.objects.order_by("-created")[:_SAMPLE])
    trust = TrustBundle.from_installation()
    read = [reading.read_store(bytes(row.manifest), trust) for row in rows]
    signed = sum("claimSignature.validated" in item.successes and item.signer_known for item in read)
    stamped = sum(item.stamped for item in read)
    return _of(len(rows), min(signed, stamped), newest_clips=len(rows), signed=signed, time_stamped=stamped)


def marks(now: datetime) -> Evidence:
    """Clips whose marks, manifest and proof were read back from the finished bytes."""
    made = GenerationRequest.objects.filter(state__in=_MADE).count()
    back = StageRun.objects.filter(
        stage="read_back", passed=True, current=True, request__state__in=_MADE
    ).count()
    return _of(made, back, clips=made, read_back_passed=back)


def log(now: datetime) -> Evidence:
    """The log is sealed up to date under a signed checkpoint; how many witnesses cosign."""
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is None:
        return Evidence(NOTHING_YET)
    late = Entry.objects.filter(created__lt=now - timedelta(minutes=1)).exclude(
        pk__in=SealedLeaf.objects.values("entry_id")
    )
    waiting = late.count()
    facts = {
        "entries_under_checkpoint": newest.size,
        "late": waiting,
        "witnesses_configured": len(witnesses.configured()),
        "witnesses_on_newest": Cosignature.objects.filter(size=newest.size).count(),
    }
    return Evidence(NOT_SHOWN if waiting else SHOWN, facts)


def log_kept(now: datetime) -> Evidence:
    """The retention that is configured, and how far back the database reaches."""
    held = [item for item in retention.quarters() if item.entries]
    names = list(conf.get("RETENTION_REGIMES"))
    months = max((retention.rules()[name]["minimum"] or 0 for name in names), default=0)
    facts = {"minimum_months": months, "regimes": names, "oldest_quarter": str(held[0].start) if held else ""}
    return Evidence(SHOWN if months else NOT_SHOWN, facts)


def moderation(now: datetime) -> Evidence:
    """Requests of the last year and what the policy decided; a clip without a decision is a failure."""
    counts = dict(
        Entry.objects.filter(created__gte=now - _YEAR, kind__startswith="generation.")
        .values_list("kind")
        .annotate(n=Count("id"))
    )
    names = ("submitted", "decided", "blocked", "held", "released", "asset", "published")
    facts = {name: counts.get(f"generation.{name}", 0) for name in names}
    facts["policy_version"] = policy.load().version
    if not facts["submitted"]:
        return Evidence(NOTHING_YET, facts)
    return Evidence(SHOWN if facts["decided"] >= facts["asset"] else NOT_SHOWN, facts)


def never_made(now: datetime) -> Evidence:
    """Every profile of the policy blocks sexual content with minors and intimate imagery."""
    rules = policy.load()
    wanted = ("minors", "intimate_imagery")
    blocking = {
        name: all(profile.bands[item][-1].action == "block" for item in wanted)
        for name, profile in rules.profiles.items()
    }
    return Evidence(SHOWN if all(blocking.values()) else NOT_SHOWN, {"blocked_in_profile": blocking})


def reviews(now: datetime) -> Evidence:
    """Held requests that a person released: each with a reason on record."""
    released = Entry.objects.filter(kind="generation.released", created__gte=now - _YEAR)
    reasoned = sum(bool(payload.get("reason")) for payload in released.values_list("payload", flat=True))
    return _of(released.count(), reasoned, released=released.count(), with_reason=reasoned)


def consents(now: datetime) -> Evidence:
    """Consents for voices and faces: how many are in force, expired, withdrawn."""
    total = Consent.objects.count()
    withdrawn = Consent.objects.filter(revoked_at__isnull=False).count()
    expired = Consent.objects.filter(revoked_at__isnull=True, expires_at__lte=now).count()
    facts = {"recorded": total, "withdrawn": withdrawn, "expired": expired}
    return Evidence(SHOWN if total else NOTHING_YET, facts)


def takedowns(now: datetime) -> Evidence:
    """What became of published clips, by state; every change is an entry of the log."""
    counts = dict(StatusChange.objects.values_list("state").annotate(n=Count("id")))
    logged = Entry.objects.filter(kind="platform.status_changed").count()
    return _of(sum(counts.values()), min(logged, sum(counts.values())), by_state=counts, logged=logged)


def reports(now: datetime) -> Evidence:
    """Reports from the public: the channel's address, how many came in, and whether review is in time."""
    figures = metrics(days=365, now=now)
    in_time = figures["decisions"]["in_time"]
    facts = {
        "page": reverse("byline:verify-page"),
        "reports": Report.objects.count(),
        "cases_open": figures["queue"]["open"],
        "cases_overdue": figures["queue"]["overdue"],
        "decisions": figures["decisions"]["n"],
        "percent_in_time": None if in_time is None else round(100 * in_time),
    }
    return Evidence(SHOWN, facts)


def verification(now: datetime) -> Evidence:
    """The free verifier: its page, its API and the accounts without a rate limit."""
    facts = {
        "page": reverse("byline:verify-page"),
        "api": reverse("byline:verify"),
        "published_records": Record.objects.filter(published=True).count(),
        "unlimited_accounts": ApiToken.objects.filter(revoked_at__isnull=True).count(),
    }
    return Evidence(SHOWN, facts)


def receipts(now: datetime) -> Evidence:
    """The key that signs verification receipts."""
    return Evidence(SHOWN if keyring.path("receipt").exists() else NOT_SHOWN)


def handed_over(now: datetime) -> Evidence:
    """When detector, keys and log were last exported for the time after us."""
    last = Entry.objects.filter(kind="provenance.exported").order_by("-id").first()
    if last is None:
        return Evidence(NOTHING_YET)
    fresh = last.created >= now - _YEAR
    return Evidence(SHOWN if fresh else NOT_SHOWN, {"last_export": last.created.date().isoformat()})


def label_cn(now: datetime) -> Evidence:
    """Brands that are made under the profile CN (GB 45438-2025)."""
    settings = conf.get("MANIFEST")
    brands = [name for name in settings.get("BRANDS", {}) if profiles.for_brand(name).profile == "CN"]
    everything = profiles.for_brand().profile == "CN"
    return Evidence(SHOWN if brands or everything else NOT_SHOWN, {"brands": brands, "default": everything})


PROBES: dict[str, Callable[[datetime], Evidence]] = {
    probe.__name__: probe
    for probe in (
        manifests,
        marks,
        log,
        log_kept,
        moderation,
        never_made,
        reviews,
        consents,
        takedowns,
        reports,
        verification,
        receipts,
        handed_over,
        label_cn,
    )
}
