"""Kinds of audit entries that the public side makes, imported when its app is ready.

Reasons are codes: what a reviewer wrote about a clip stays in the database and out of the log.
"""

from byline.audit.kinds import Hex64, register

register("platform.status_changed", required={"record": str, "state": str, "reason": str})
register("platform.token_made", required={"token": int, "role": str})
register("platform.token_revoked", required={"token": int})
register("platform.label_corrected", required={"record": str, "before": Hex64, "after": Hex64})
