"""Reports from the public: "this is wrong", "this label is wrong", "take this down".

Promises: a report is what the person wrote, a verdict's name and a public id, and nothing else: not the
file, not its hash, not the sender's address. Reviewers read reports in the admin. A record that is
not public is dropped from the report silently, so that the form is no way to ask for ids.
"""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from byline.platform import status
from byline.platform.models import Feedback

KEEP_HANDLED = timedelta(days=365)


def store(
    *, kind: str, message: str, contact: str = "", verdict: str = "", record: UUID | None = None
) -> Feedback:
    """Keep one report for the reviewers. ValidationError for a kind that is none or a text too long.

    Reports that were dealt with a year ago are removed on the way: nobody needs their words any more.
    """
    known = record if record is not None and status.of(record) is not None else None
    row = Feedback(kind=kind, message=message, contact=contact, verdict=verdict, record=known)
    row.full_clean()
    row.save()
    Feedback.objects.filter(handled_at__lt=timezone.now() - KEEP_HANDLED).delete()
    return row
