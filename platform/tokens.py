"""API tokens, and the roles that may verify without a limit.

Promises: a token is shown once and kept as SHA-256 (it has 256 random bits, so a slow hash would add
nothing); it ends when it expires, is revoked, or its account is switched off; what it may do are
the account's permissions. Authorities, media and researchers get an account without a password in
the group of their role, which holds the one permission `byline_platform.unlimited_verification`
(EU code of practice M2.1: free and unlimited). Left out: self-service; an operator knows whom they let in.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from byline.audit import log
from byline.audit.base.errors import InvalidInput
from byline.platform.models import UNLIMITED, ApiToken

PREFIX = "byline_"
PERMISSION = f"byline_platform.{UNLIMITED}"
ROLES = {
    "authority": "Verification: authorities",
    "media": "Verification: media and fact-checkers",
    "research": "Verification: researchers and civil society",
}


def make(username: str, role: str, *, actor: str, expires_at: datetime | None = None) -> str:
    """A new token for an account of this role (made when there is none). Shown here and never again.

    InvalidInput for an unknown role or an account that can sign in with a password: a token must not
    carry an editor's rights by mistake.
    """
    if role not in ROLES:
        raise InvalidInput(f"there is no role {role!r}", help=f"Roles: {', '.join(ROLES)}.")
    text = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        user, made = get_user_model().objects.get_or_create(username=username)
        if made:
            user.set_unusable_password()
            user.save()
        elif user.has_usable_password() or user.is_staff or user.is_superuser:
            raise InvalidInput(
                "this account belongs to a person who signs in", help="Give another name for the token."
            )
        group, _ = Group.objects.get_or_create(name=ROLES[role])
        group.permissions.add(
            Permission.objects.get(content_type__app_label="byline_platform", codename=UNLIMITED)
        )
        user.groups.add(group)
        token = ApiToken.objects.create(user=user, name=username, sha256=_hash(text), expires_at=expires_at)
        payload = {"token": token.pk, "role": role}
        log.append("platform.token_made", subject=f"token:{token.pk}", actor=actor, payload=payload)
    return text


def revoke(token_id: int, *, actor: str) -> None:
    """End a token now. Repeating it changes nothing. InvalidInput when there is none."""
    with transaction.atomic():
        token = ApiToken.objects.select_for_update().filter(pk=token_id).first()
        if token is None:
            raise InvalidInput("there is no such token", help="List them with `byline token list`.")
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            log.append(
                "platform.token_revoked",
                subject=f"token:{token.pk}",
                actor=actor,
                payload={"token": token.pk},
            )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer byline_...`. A wrong token is a 401, never an anonymous success."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = ApiToken.objects.select_related("user").filter(sha256=_hash(text.strip())).first()
        ended = token is None or token.revoked_at is not None
        expired = token is not None and token.expires_at is not None and token.expires_at <= timezone.now()
        if token is None or ended or expired or not token.user.is_active:
            raise AuthenticationFailed("This token is unknown, ended or expired.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
