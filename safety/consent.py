"""No voice and no face is used as a reference without an active consent that covers exactly this use.

Promises: `check` blocks unless every reference names a consent that exists, is neither revoked nor
expired, belongs to the reference's subject, covers its kind, this purpose and this very file. Any
doubt is a refusal with a reason per reference; the answer names reasons, never people.
`record` and `revoke` are the only writers and log what they did. Leaves out whether the file really
shows the subject: that needs a biometric comparison, which this tier does not do.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.db import transaction
from django.utils import timezone

from byline.audit import log
from byline.audit.base.errors import InvalidInput
from byline.safety.checks import Check
from byline.safety.models import Consent

NAME = "consent"
CODE = "consent_missing"
CLAUSE = "P1 A real person is depicted only with their recorded consent."
SCOPES = frozenset({"voice", "face"})
_HEX64 = re.compile(r"[0-9a-f]{64}")
_USE = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class ConsentInvalid(InvalidInput):
    code = "consent_invalid"
    help = "A consent needs scopes, uses, covered files, an end in the future and the evidence's SHA-256."


@dataclass(frozen=True)
class Reference:
    """A voice or face given to imitate. `sha256` is that of the file, `consent` the id it relies on;
    without them the reference is refused."""

    kind: Literal["voice", "face"]
    subject: str
    sha256: str = ""
    consent: str = ""

    @classmethod
    def from_mapping(cls, item: Mapping[str, str]) -> Reference:
        """From a stored reference; fields that do not concern consent are left out."""
        return cls(**{k: item[k] for k in ("kind", "subject", "sha256", "consent") if k in item})  # type: ignore[arg-type]


def check(references: Sequence[Reference], *, purpose: str, now: dt.datetime | None = None) -> Check:
    """Whether every reference may be used for this purpose at this moment (default: now).

    Action "allow" or "block"; evidence is {"code", "references": [{"index", "kind", "reason"}]}.
    A database that does not answer raises: no verdict is not a pass.
    """
    moment = now or timezone.now()
    refused = []
    for index, reference in enumerate(references):
        reason = _refusal(reference, purpose, moment)
        if reason:
            refused.append({"index": index, "kind": reference.kind, "reason": reason})
    if not refused:
        evidence = {"references": len(references), "purpose": purpose}
        return Check(NAME, "available", evidence=evidence)
    reasons = ", ".join(sorted({f"{r['kind']} {r['reason']}" for r in refused}))
    return Check(
        NAME,
        "available",
        "block",
        detail=f"no consent for {len(refused)} of {len(references)} references: {reasons}",
        category="real_person",
        clause=CLAUSE,
        evidence={"code": CODE, "references": refused, "purpose": purpose},
    )


def _refusal(reference: Reference, purpose: str, now: dt.datetime) -> str:
    """Why a reference may not be used; "" if it may."""
    if reference.kind not in SCOPES:
        return "unknown_kind"
    try:
        wanted = uuid.UUID(reference.consent)
    except ValueError:
        return "no_consent"
    consent = Consent.objects.filter(pk=wanted).first()
    # Another person's consent is answered like none at all: the id must not tell who consented.
    if consent is None or not reference.subject or consent.subject != reference.subject:
        return "no_consent"
    if consent.revoked_at is not None and consent.revoked_at <= now:
        return "revoked"
    if consent.expires_at <= now:
        return "expired"
    if reference.kind not in consent.scopes:
        return "scope"
    if purpose not in consent.uses:
        return "purpose"
    if reference.sha256 not in consent.references:
        return "file"
    return ""


def record(
    *,
    subject_kind: str,
    subject: str,
    scopes: Sequence[str],
    uses: Sequence[str],
    references: Sequence[str],
    expires_at: dt.datetime,
    evidence_sha256: str,
    actor: str,
) -> Consent:
    """Store a consent and log it, in one transaction. ConsentInvalid says what is wrong."""
    problems = {
        "subject_kind": subject_kind not in Consent.SubjectKind.values,
        "subject": not 1 <= len(subject) <= 100,
        "scopes": not scopes or not set(scopes) <= SCOPES,
        "uses": not uses or not all(_USE.fullmatch(u) for u in uses),
        "references": not references or not all(_HEX64.fullmatch(r) for r in references),
        "expires_at": timezone.is_naive(expires_at) or expires_at <= timezone.now(),
        "evidence_sha256": not _HEX64.fullmatch(evidence_sha256),
    }
    wrong = [name for name, bad in problems.items() if bad]
    if wrong:
        raise ConsentInvalid(f"not usable: {', '.join(wrong)}")
    with transaction.atomic():
        if Consent.objects.filter(evidence_sha256=evidence_sha256).exists():
            raise ConsentInvalid(
                "this evidence is recorded already",
                help="A signed form counts once. A renewed consent needs a newly signed form.",
            )
        consent = Consent.objects.create(
            subject_kind=subject_kind,
            subject=subject,
            scopes=sorted(set(scopes)),
            uses=sorted(set(uses)),
            references=sorted(set(references)),
            expires_at=expires_at,
            evidence_sha256=evidence_sha256,
        )
        log.append(
            "safety.consent_recorded",
            subject=f"consent:{consent.pk}",
            actor=actor,
            payload={
                "consent": str(consent.pk),
                "scopes": consent.scopes,
                "uses": consent.uses,
                "expires_at": expires_at.isoformat(),
                "evidence": evidence_sha256,
            },
        )
    return consent


def revoke(consent_id: uuid.UUID, *, actor: str) -> Consent:
    """End a consent from now on and log it. Repeating it changes nothing. ConsentInvalid if unknown."""
    with transaction.atomic():
        consent = Consent.objects.select_for_update().filter(pk=consent_id).first()
        if consent is None:
            raise ConsentInvalid("there is no such consent")
        if consent.revoked_at is None:
            consent.revoked_at = timezone.now()
            consent.save(update_fields=["revoked_at"])
            log.append(
                "safety.consent_revoked",
                subject=f"consent:{consent.pk}",
                actor=actor,
                payload={"consent": str(consent.pk), "revoked_at": consent.revoked_at.isoformat()},
            )
    return consent
