"""Attack: a consent that is real is used for something it was not given for."""

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from byline.safety import consent
from byline.safety.consent import ConsentInvalid, Reference
from byline.safety.models import Consent

pytestmark = pytest.mark.django_db

RECORDING, OTHER_RECORDING, FORM = "1" * 64, "2" * 64, "f" * 64


@pytest.fixture
def given() -> Consent:
    return consent.record(
        subject_kind="person",
        subject="speaker-17",
        scopes=["voice"],
        uses=["newsroom"],
        references=[RECORDING],
        expires_at=timezone.now() + dt.timedelta(days=30),
        evidence_sha256=FORM,
        actor="user:1",
    )


def reason(reference: Reference, purpose: str = "newsroom", now: dt.datetime | None = None) -> str:
    check = consent.check([reference], purpose=purpose, now=now)
    if check.action == "allow":
        return ""
    assert check.action == "block"
    return str(check.evidence["references"][0]["reason"])


def test_the_honest_use_passes(given: Consent) -> None:
    assert reason(Reference("voice", "speaker-17", RECORDING, str(given.pk))) == ""


def test_replayed_for_another_person(given: Consent) -> None:
    assert reason(Reference("voice", "speaker-18", RECORDING, str(given.pk))) == "no_consent"
    assert reason(Reference("voice", "", RECORDING, str(given.pk))) == "no_consent"


def test_replayed_for_the_face(given: Consent) -> None:
    assert reason(Reference("face", "speaker-17", RECORDING, str(given.pk))) == "scope"


def test_replayed_for_another_recording_of_the_same_person(given: Consent) -> None:
    assert reason(Reference("voice", "speaker-17", OTHER_RECORDING, str(given.pk))) == "file"
    assert reason(Reference("voice", "speaker-17", "", str(given.pk))) == "file"


def test_replayed_for_another_purpose(given: Consent) -> None:
    assert reason(Reference("voice", "speaker-17", RECORDING, str(given.pk)), "advertising") == "purpose"
    assert reason(Reference("voice", "speaker-17", RECORDING, str(given.pk)), "") == "purpose"


def test_replayed_after_its_end(given: Consent) -> None:
    use = Reference("voice", "speaker-17", RECORDING, str(given.pk))
    assert reason(use, now=given.expires_at - dt.timedelta(seconds=1)) == ""
    assert reason(use, now=given.expires_at) == "expired"


def test_replayed_after_revocation(given: Consent) -> None:
    consent.revoke(given.pk, actor="user:1")
    assert reason(Reference("voice", "speaker-17", RECORDING, str(given.pk))) == "revoked"


@pytest.mark.parametrize("forged", ["", "17", "' or 1=1 --", str(uuid.uuid4())])
def test_an_invented_id_is_no_consent(given: Consent, forged: str) -> None:
    assert reason(Reference("voice", "speaker-17", RECORDING, forged)) == "no_consent"


def test_the_same_signed_form_cannot_be_recorded_twice(given: Consent) -> None:
    fields = {
        "subject_kind": "person",
        "subject": "speaker-18",
        "scopes": ["voice"],
        "uses": ["newsroom"],
        "references": [OTHER_RECORDING],
        "expires_at": timezone.now() + dt.timedelta(days=1),
        "evidence_sha256": FORM,
    }
    with pytest.raises(ConsentInvalid, match="recorded already"):
        consent.record(**fields, actor="user:1")  # type: ignore[arg-type]
    # Two at the same moment: the database has the last word.
    with pytest.raises(IntegrityError), transaction.atomic():
        Consent.objects.create(**fields)


def test_refusals_do_not_tell_who_consented(given: Consent) -> None:
    check = consent.check([Reference("voice", "speaker-18", RECORDING, str(given.pk))], purpose="newsroom")
    assert "speaker" not in repr(check)
