"""Which policy is in force: approving one is an act on the record, changing the file is not.

Promises: `activate` writes a row and an entry of the audit log in one transaction; from the first
activation on, a policy whose digest is not the one activated last gives a failed check, which holds
whatever is asked for and which no reviewer can lift (byline.generation.verdict). The log decides, as
nobody can change it; the row stands in once the log's old entries are retired to the archive, and
row and log have to agree as long as both are there. A site that never activated a policy is not
bound to one: `byline policy show` says so.
"""

from __future__ import annotations

from django.db import transaction

from byline.audit import log
from byline.audit.base.errors import ConfigurationError
from byline.audit.models import Entry
from byline.safety.checks import Check
from byline.safety.models import PolicyActivation
from byline.safety.policy_model import Policy

KIND = "safety.policy_activated"
SUBJECT = "policy"
CHECK = "policy.active"


class PolicyNotActive(ConfigurationError):
    code = "policy_not_active"
    help = "Put the approved file back, or approve this one with `byline policy activate FILE`."


def activated_sha256() -> str | None:
    """The digest of the policy activated last, None if none was. PolicyNotActive if row and log differ."""
    row = PolicyActivation.objects.order_by("-pk").first()
    entry = log.by_subject(SUBJECT).filter(kind=KIND).last()
    if entry is None:
        return row.sha256 if row else None
    logged: str = entry.payload["sha256"]
    if row is None or row.sha256 != logged:
        raise PolicyNotActive(
            "the database and the log name different policies as the one in force",
            help="Somebody changed the table of activations. Activate the approved policy again.",
        )
    return logged


def require(policy: Policy) -> None:
    """PolicyNotActive unless this policy is the one activated last, or none ever was."""
    expected = activated_sha256()
    if expected not in {None, policy.sha256}:
        raise PolicyNotActive(
            f"policy {policy.version} is not the one that was activated ({str(expected)[:12]})"
        )


def check(policy: Policy) -> Check:
    """As a check of the pipeline: "failed" when the ground of all other checks is not the approved one."""
    try:
        require(policy)
    except PolicyNotActive as error:
        return Check(CHECK, "failed", "review", detail=str(error), evidence={"policy": policy.version})
    return Check(CHECK, "available", evidence={"policy": policy.version})


def activate(policy: Policy, *, actor: str) -> Entry:
    """Approve this policy from now on. `actor` answers for it; the log keeps a pseudonym."""
    with transaction.atomic():
        before = PolicyActivation.objects.select_for_update().order_by("-pk").first()
        PolicyActivation.objects.create(sha256=policy.sha256, version=policy.version)
        return log.append(
            KIND,
            subject=SUBJECT,
            actor=actor,
            payload={
                "version": policy.version,
                "sha256": policy.sha256,
                "before": before.sha256 if before else None,
                "parts": dict(policy.parts),
            },
        )
