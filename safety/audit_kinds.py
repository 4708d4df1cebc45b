"""Kinds of audit entries about consents, imported when the app is ready.

No field names a person, not even by pseudonym: a consent is named by its random id, its evidence by
its hash. Decisions of moderation are logged by the pipeline.
"""

from byline.audit.kinds import Hex64, register

register(
    "safety.consent_recorded",
    required={"consent": str, "scopes": list, "uses": list, "expires_at": str, "evidence": Hex64},
)
register("safety.consent_revoked", required={"consent": str, "revoked_at": str})

# Review (byline.safety.review). What people wrote is a salted commitment; the rest are codes.
register(
    "safety.case_opened",
    required={
        "source": str,
        "about": str,
        "category": str,
        "kind": str,
        "due": str,
        "regimes": list,
        "original": str,
    },
)
register("safety.case_taken", required={"by_other": bool})
register("safety.case_unblurred", required={})
register("safety.case_closed", required={"because": str})
register(
    "safety.case_decided",
    required={
        "about": str,
        "source": str,
        "original": str,
        "outcome": str,
        "reason": str,
        "clause": str,
        "policy_version": str,
        "rules_version": str,
        "rationale": Hex64,
        "explanation": Hex64 | None,
        "tags": list,
        "in_time": bool,
    },
)
register("safety.declared", required={"file": Hex64, "synthetic": bool, "found": str})

# No-go lists (byline.safety.hashlists): how much and which digest, never a hash.
register(
    "safety.hashlist_imported",
    required={"entries": int, "digest": Hex64, "file": Hex64, "category": str, "action": str},
)
register("safety.hashlist_removed", required={"entries": int, "digest": Hex64})
register("safety.stay_down_added", required={"entries": int, "category": str, "digest": Hex64})
register("safety.stay_down_lifted", required={"entries": int, "category": str, "digest": Hex64})

# Policies (byline.safety.activation): digests of the files that decide, by their role.
register(
    "safety.policy_activated",
    required={"version": str, "sha256": Hex64, "before": Hex64 | None, "parts": dict},
)
