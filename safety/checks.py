"""What one safety check says. Pure data, shared by moderation, consent and output screening."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["available", "unavailable", "failed"]
Action = Literal["allow", "review", "block"]


@dataclass(frozen=True)
class Check:
    """One check's result.

    `status` says whether the check ran: "unavailable" means it could not (shown and recorded as
    "not checked", never as passed), "failed" means it broke while running (the request is held).
    `action` counts only when the status is "available". `evidence` is JSON-able and holds no
    prompt text and no biometric.
    """

    name: str
    status: Status
    action: Action = "allow"
    detail: str = ""
    category: str = ""
    clause: str = ""
    score: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
