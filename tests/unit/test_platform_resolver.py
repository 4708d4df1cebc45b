"""Asking others' Soft Binding Resolution APIs: what they say is theirs, what they return is checked here."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from publication_kit import Signed, sign

from byline.audit.base.errors import InvalidInput
from byline.platform import registry_client
from byline.platform.registry_client import RegistryUnavailable, resolve
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

NAME = "urn:c2pa:11111111-2222-4333-8444-555555555555"


class Resolver(http.server.BaseHTTPRequestHandler):
    """Somebody's resolver, under `prefix`, with what the test put here."""

    prefix = ""
    matches: Any = []
    store = b""
    asked: list[tuple[str, str, bytes]] = []

    def _at(self, name: str) -> bool:
        return urlsplit(unquote(self.path)).path == self.prefix + name

    def do_GET(self) -> None:
        self.asked.append((self.path, "", b""))
        if self._at("/services/supportedAlgorithms"):
            self._send(json.dumps({"watermarks": [{"alg": "com.example.mark.1"}]}).encode())
        elif self._at(f"/manifests/{NAME}"):
            self._send(self.store)
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, str(self.headers["Content-Type"]), body))
        self._send(json.dumps({"matches": self.matches}).encode())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def signed(byline_home: Path, tmp_path_factory: Any) -> Signed:
    return sign(tmp_path_factory.mktemp("resolver"), 71)


@pytest.fixture
def site(signed: Signed, monkeypatch: Any) -> Iterator[str]:
    monkeypatch.setattr(Resolver, "matches", [{"manifestId": NAME}])
    monkeypatch.setattr(Resolver, "store", signed.manifest)
    monkeypatch.setattr(Resolver, "asked", [])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Resolver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def nothing() -> Report:
    return Report(Verdict.NOTHING_FOUND, (Finding("manifest", "not found", "none"),), {})


def ask(url: str, signed: Signed, trust: TrustBundle | None = None, report: Report | None = None) -> Report:
    return resolve(url, signed.file, report or nothing(), trust or TrustBundle.from_installation())


@pytest.mark.parametrize("prefix", ["", "/softbinding/v1", "/v1"])
def test_a_manifest_under_our_roots_is_a_recovery(signed: Signed, site: str, monkeypatch: Any, prefix: str):
    monkeypatch.setattr(Resolver, "prefix", prefix)
    report = ask(site, signed)
    assert report.verdict is Verdict.RECOVERED
    assert "the resolver's word" in report.explanation
    path, kind, body = next(item for item in Resolver.asked if item[2])
    assert path.startswith(f"{prefix}/matches/byContent")
    assert kind == "video/mp4"
    assert body == signed.file.read_bytes()
    assert report.as_dict()["findings"]  # every technique it names has an entry in the table


def test_under_no_roots_of_ours_it_is_no_recovery(signed: Signed, site: str):
    report = ask(site, signed, TrustBundle.empty())
    assert report.verdict is Verdict.NOTHING_FOUND
    assert "not verified under the roots you supplied" in report.findings[-1].text


def test_rubbish_and_changed_manifests_change_nothing(signed: Signed, site: str, monkeypatch: Any):
    changed = bytearray(signed.manifest)
    changed[changed.index(b"byline-starter")] ^= 1  # a model's name: signed; a time stamp's padding is not
    for store in (b"rubbish", b"", bytes(changed)):
        monkeypatch.setattr(Resolver, "store", store)
        assert ask(site, signed).verdict is Verdict.NOTHING_FOUND


def test_a_verdict_of_our_own_is_not_overruled(signed: Signed, site: str):
    tampered = Report(Verdict.TAMPERED, (Finding("manifest", "failed", "changed"),), {})
    assert ask(site, signed, report=tampered).verdict is Verdict.TAMPERED


def test_an_address_in_an_answer_is_reported_and_not_asked(signed: Signed, site: str, monkeypatch: Any):
    there = {"manifestId": NAME, "endpoint": "http://169.254.169.254/v1"}
    monkeypatch.setattr(Resolver, "matches", [there])
    report = ask(site, signed)
    assert report.verdict is Verdict.NOTHING_FOUND
    assert "169.254.169.254" in report.findings[-1].text
    assert not [path for path, _, _ in Resolver.asked if "manifests" in path]


@pytest.mark.parametrize("matches", [None, "all", [1, 2], [{}], [{"manifestId": "../../x"}]])
def test_answers_of_another_shape_do_no_harm(signed: Signed, site: str, monkeypatch: Any, matches: Any):
    monkeypatch.setattr(Resolver, "matches", matches)
    try:
        report = ask(site, signed)
    except RegistryUnavailable:
        return
    assert report.verdict is Verdict.NOTHING_FOUND


def test_only_the_first_matches_are_asked_for(signed: Signed, site: str, monkeypatch: Any):
    monkeypatch.setattr(Resolver, "matches", [{"manifestId": NAME}] * 50)
    monkeypatch.setattr(Resolver, "store", b"rubbish")
    ask(site, signed)
    assert len([path for path, _, _ in Resolver.asked if "/manifests/" in path]) == 3


def test_no_resolver_is_an_error_with_help(signed: Signed, site: str, monkeypatch: Any):
    monkeypatch.setattr(Resolver, "prefix", "/elsewhere")
    with pytest.raises(RegistryUnavailable, match="no Soft Binding Resolution API"):
        ask(site, signed)
    for url in ("ftp://news.example", "news.example", "http://"):
        with pytest.raises(InvalidInput):
            ask(url, signed)


def test_a_large_answer_is_cut_off(signed: Signed, site: str, monkeypatch: Any):
    monkeypatch.setattr(registry_client, "_LIMIT", 2000)
    monkeypatch.setattr(Resolver, "store", b"x" * 5000)
    with pytest.raises(RegistryUnavailable):
        ask(site, signed)
