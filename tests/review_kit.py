"""What the tests of review share: people with their roles, a held request, one decision."""

from collections.abc import Sequence
from typing import Any

import yaml
from django.contrib.auth.models import Group, Permission, User

from byline.generation.models import GenerationRequest
from byline.generation.states import State
from byline.generation.transitions import move
from byline.platform.review import effects
from byline.platform.review.roles import LEADS, REVIEWERS
from byline.safety.review import rules, services
from byline.safety.review.models import Case, Decision

PASSWORD = "correct horse battery"
WORDS = {"rationale": "I looked at it twice.", "explanation": "It shows what our policy does not allow."}
# outcome -> a reason and a clause that fit
FITTING = {
    "release": ("context", "P1"),
    "reject": ("policy", "P1"),
    "keep": ("no_violation", "O1"),
    "take_down": ("policy", "P1"),
    "relabel": ("mislabelled", "M1"),
    "confirm": ("no_violation", "O1"),
    "withdraw": ("policy", "P1"),
    "uphold": ("not_shown", "P1"),
    "overturn": ("false_alarm", "P1"),
    "accept": ("no_violation", "O1"),
    "refuse": ("mislabelled", "M1"),
}


def draws(monkeypatch: Any, **percents: float) -> None:
    """The shipped rules with these shares of what is drawn, and none of the others."""
    raw = yaml.safe_load(rules.SHIPPED.read_text())
    raw["sampling"] |= {"allowed_percent": 0, "second_percent": 0, "repeat_percent": 0, **percents}
    changed, load = rules.parse(raw), rules.load
    monkeypatch.setattr(rules, "load", lambda path=None: load(path) if path else changed)


def account(
    name: str, *permissions: str, group: str = "", staff: bool = False, password: str | None = None
) -> User:
    """Without a password (hashing one takes a while) only for `force_login`."""
    user = User.objects.create_user(name, password=password, is_staff=staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def reviewer(name: str = "rita", *, lead: bool = False, password: str | None = None) -> User:
    return account(name, group=LEADS if lead else REVIEWERS, staff=True, password=password)


def editor(name: str = "ed") -> User:
    return account(name, "add_generationrequest")


def request_in(state: str, requester: str = "ed", **fields: Any) -> GenerationRequest:
    """A request that never ran, put into a state by the one function that changes states."""
    row = GenerationRequest.objects.create(
        requester=requester,
        prompt="A kite at sea.",
        brand="byline",
        seed=1,
        seconds=1,
        profile="newsroom",
    )
    row.state = State.CHECKING.value
    columns = {
        "stage": "moderate",
        "held_in": State.CHECKING.value,
        "held_for": ["moderation.rules:review" if state == "held" else "moderation.rules:block"],
        "error_code": "moderation_review" if state == "held" else "moderation_block",
        "error_category": "real_person",
        "error_clause": "P1 A real person is depicted only with their recorded consent.",
        "error_message": "A name of a real person was found.",
        "error_help": "Describe an invented person.",
        **fields,
    }
    move(row, State(state), actor="system:pipeline", **columns)
    row.refresh_from_db()
    return row


def held(requester: str = "ed", **fields: Any) -> tuple[GenerationRequest, Case]:
    row = request_in("held", requester, **fields)
    return row, Case.objects.get(subject=row.subject, state="open")


def decide(case: Case, who: str, outcome: str, *, tags: Sequence[str] = (), **more: Any) -> Decision:
    """Take it and decide it, as the screens do."""
    key = case.pk
    services.take(key, who)
    reason, clause = FITTING[outcome]
    values = {"reason": reason, "clause": clause, **WORDS, "tags": tags, **more}
    return services.decide(key, who, outcome=outcome, carry_out=effects.carry_out, **values)
