"""Reports from the public: "this is wrong", "this label is wrong", "take this down". Each is on a case.

Promises: a report is what the person wrote, a verdict's name and a public id, and nothing else: not the
file, not its hash, not the sender's address. A record that is not public is dropped from the report
silently, so that the form is no way to ask for ids; the answer is the same either way.
"""

from uuid import UUID

from byline.platform import status
from byline.platform.review import subjects
from byline.provenance.models import Record
from byline.safety.review import cases
from byline.safety.review import rules as rulebook
from byline.safety.review.models import KnownLimit, Report


def store(
    *,
    kind: str,
    message: str,
    contact: str = "",
    country: str = "",
    verdict: str = "",
    record: UUID | None = None,
) -> Report:
    """Keep one report; its clocks run from now. InvalidInput for a kind that is none or a text too long."""
    known = record if record is not None and status.of(record) is not None else None
    name = f"record:{known}" if known else ""
    requester = subjects.find(name).requester
    return cases.report(
        name,
        kind=kind,
        message=message,
        contact=contact,
        country=country,
        verdict=verdict,
        excluded=[requester],
    )


def choices() -> dict[str, list[tuple[str, str]]]:
    """What the form offers: `kinds` and `countries`."""
    rules = rulebook.load()
    return {"kinds": list(rules.report_kinds.items()), "countries": list(rules.countries.items())}


def limits(record: Record) -> list[str]:
    """Notices of the limits that reviewers noted on a clip, for its page."""
    tags = rulebook.load().tags
    names = subjects.find(f"record:{record.pk}").names
    noted = KnownLimit.objects.filter(subject__in=names).values_list("tag", flat=True)
    return [tags[name].notice for name in sorted(set(noted)) if name in tags]
