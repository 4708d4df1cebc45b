"""A detector that anybody may ask is a tool for removing marks; it answers seldom and says little."""

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client, RequestFactory

from byline.audit.base.errors import InvalidInput
from byline.audit.models import Entry
from byline.platform import inspection, tokens
from byline.platform.api import throttles
from byline.platform.api.throttles import VerifyThrottle, client_address
from byline.platform.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def three_an_hour(monkeypatch: Any) -> None:
    cache.clear()
    monkeypatch.setattr(VerifyThrottle, "rate", "3/hour", raising=False)
    report = {"verdict": "nothing_found", "findings": [], "record": None, "manifest": None}
    monkeypatch.setattr(inspection, "verify_descriptor", lambda *args: dict(report))


def send(client: Client, path: str = "/api/v1/verify", **headers: str) -> Any:
    return client.post(path, {"file": io.BytesIO(b"film")}, headers=headers)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_the_fourth_question_of_an_hour_is_refused_with_help(client: Client):
    assert [send(client).status_code for _ in range(3)] == [200, 200, 200]
    refused = send(client)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert {"code", "message", "help"} <= set(refused.json())


def test_page_and_api_draw_on_one_allowance(client: Client):
    assert [send(client, path).status_code for path in ("/verify/", "/api/v1/verify", "/verify/")] == [
        200
    ] * 3
    page = send(client, "/verify/")
    assert page.status_code == 429
    assert int(page["Retry-After"]) > 0
    assert "byline verify" in page.content.decode()


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "True-Client-IP"]
)
def test_no_header_buys_a_fresh_allowance(client: Client, header: str):
    codes = [send(client, **{header: f"198.51.100.{n}"}).status_code for n in range(5)]
    assert codes == [200, 200, 200, 429, 429]


def address(settings: Any, forwarded: str = "", remote: str = "203.0.113.7", **changes: Any) -> str:
    for name, value in changes.items():
        setattr(settings, name, value)
    request = RequestFactory().get("/", REMOTE_ADDR=remote)
    if forwarded:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return client_address(request)


def test_behind_our_proxy_only_what_the_proxy_added_counts(settings: Any):
    proxied = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}
    assert address(settings, "1.2.3.4, 198.51.100.9", "10.0.0.1", **proxied) == "198.51.100.9"
    assert address(settings, "", "10.0.0.1", **proxied) == "10.0.0.1"


def test_a_network_of_addresses_is_one_client(settings: Any):
    one, two = (address(settings, remote=f"2001:db8:1:2::{n}") for n in (1, 99))
    assert one == two == "2001:db8:1:2::/64"
    assert address(settings, remote="::ffff:203.0.113.7") == "203.0.113.7"
    assert address(settings, remote="nonsense") == "unknown"


def test_an_address_is_not_kept_in_the_cache(client: Client):
    send(client)
    assert "127.0.0.1" not in str(list(cache._cache))  # type: ignore[attr-defined]


def test_researchers_are_not_counted(client: Client):
    text = tokens.make("university", "research", actor="cli")
    codes = {send(client, path, **bearer(text)).status_code for path in ("/api/v1/verify", "/verify/") * 4}
    assert codes == {200}
    entry = Entry.objects.get(kind="platform.token_made")
    assert text not in str(entry.payload)
    assert text not in str(ApiToken.objects.values())


@pytest.mark.parametrize("path", ["/api/v1/verify", "/verify/"])
def test_a_wrong_ended_or_revoked_token_is_refused_and_not_ignored(client: Client, path: str):
    text = tokens.make("agency", "authority", actor="cli")
    assert send(client, path, **bearer(text)).status_code == 200
    assert send(client, path, **bearer("byline_guess")).status_code == 401
    tokens.revoke(ApiToken.objects.get().pk, actor="cli")
    assert send(client, path, **bearer(text)).status_code == 401
    other = tokens.make("desk", "media", actor="cli")
    User.objects.filter(username="desk").update(is_active=False)
    assert send(client, path, **bearer(other)).status_code == 401


def test_a_token_carries_no_editors_rights(client: Client):
    User.objects.create_user("editor", password="correct horse battery")
    with pytest.raises(InvalidInput, match="belongs to a person"):
        tokens.make("editor", "media", actor="cli")
    with pytest.raises(InvalidInput, match="no role"):
        tokens.make("desk", "admin", actor="cli")
    text = tokens.make("desk", "media", actor="cli")
    body = {"prompt": "a red ball"}
    refused = client.post("/api/v1/generations", body, content_type="application/json", headers=bearer(text))
    assert refused.status_code == 401


def test_rates_are_the_sites_own(settings: Any, monkeypatch: Any):
    monkeypatch.delattr(VerifyThrottle, "rate")
    monkeypatch.setattr(throttles._PerClient, "THROTTLE_RATES", {"verify": "7/min"})
    assert VerifyThrottle().num_requests == 7
    assert throttles.LookupThrottle().num_requests == 600
