"""Consents are recorded whole, logged without a name, and cover exactly what they say."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from byline.audit import log
from byline.safety import consent
from byline.safety.consent import ConsentInvalid, Reference
from byline.safety.models import Consent

pytestmark = pytest.mark.django_db

VOICE, OTHER = "a" * 64, "b" * 64


def record(**changes: Any) -> Consent:
    fields: dict[str, Any] = {
        "subject_kind": "person",
        "subject": "speaker-17",
        "scopes": ["voice"],
        "uses": ["newsroom"],
        "references": [VOICE],
        "expires_at": timezone.now() + dt.timedelta(days=30),
        "evidence_sha256": "e" * 64,
        "actor": "user:1",
    }
    return consent.record(**{**fields, **changes})


def reference(given: Consent, **changes: str) -> Reference:
    fields = {"kind": "voice", "subject": given.subject, "sha256": VOICE, "consent": str(given.pk)}
    return Reference.from_mapping({**fields, **changes})


def test_no_reference_needs_no_consent() -> None:
    check = consent.check([], purpose="newsroom")
    assert (check.name, check.status, check.action) == ("consent", "available", "allow")


def test_a_covered_reference_passes() -> None:
    assert consent.check([reference(record())], purpose="newsroom").action == "allow"


def test_an_estate_can_consent() -> None:
    given = record(subject_kind="estate", scopes=["face", "voice"])
    assert consent.check([reference(given, kind="face")], purpose="newsroom").action == "allow"


def test_a_reference_without_consent_is_blocked_with_code_and_reason() -> None:
    check = consent.check([Reference("voice", "somebody")], purpose="newsroom")
    assert check.action == "block"
    assert check.evidence["code"] == "consent_missing"
    assert check.evidence["references"] == [{"index": 0, "kind": "voice", "reason": "no_consent"}]
    assert check.clause


def test_one_uncovered_reference_among_many_blocks() -> None:
    given = record()
    check = consent.check([reference(given), reference(given, kind="face")], purpose="newsroom")
    assert check.action == "block"
    assert [r["index"] for r in check.evidence["references"]] == [1]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_kind": "company"},
        {"subject": ""},
        {"scopes": []},
        {"scopes": ["gait"]},
        {"uses": []},
        {"uses": ["Any Use!"]},
        {"references": []},
        {"references": ["short"]},
        {"expires_at": timezone.now() - dt.timedelta(seconds=1)},
        {"expires_at": dt.datetime(2099, 1, 1)},  # naive
        {"evidence_sha256": "E" * 64},
    ],
)
def test_an_incomplete_consent_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConsentInvalid):
        record(**changes)
    assert not Consent.objects.exists()


def test_recording_and_revoking_are_logged_without_the_subject() -> None:
    given = record()
    consent.revoke(given.pk, actor="user:2")
    consent.revoke(given.pk, actor="user:3")
    entries = list(log.by_subject(f"consent:{given.pk}"))
    assert [e.kind for e in entries] == ["safety.consent_recorded", "safety.consent_revoked"]
    assert "speaker-17" not in repr([(e.subject, e.payload) for e in entries])


def test_revoking_an_unknown_consent_is_an_error() -> None:
    import uuid

    with pytest.raises(ConsentInvalid):
        consent.revoke(uuid.uuid4(), actor="user:1")


def test_the_model_has_no_place_for_a_biometric() -> None:
    names = {f.name for f in Consent._meta.get_fields()}
    assert names == {
        "id", "subject_kind", "subject", "scopes", "uses", "references", "evidence_sha256",
        "created", "expires_at", "revoked_at",
    }  # fmt: skip
