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
