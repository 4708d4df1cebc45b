"""The development authorities and the local time stamper, checked with openssl where it is installed."""

from __future__ import annotations

import datetime as dt
import http.server
import os
import shutil
import ssl
import stat
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from byline.audit.base import keyring
from byline.audit.base.errors import ConfigurationError
from byline.provenance import certs, der, reading, signing, timestamps
from byline.provenance.trust import TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))


def _certificate(purpose: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(keyring.read(purpose))


def test_authorities_are_private_marked_as_development_and_made_once(tmp_path: Path) -> None:
    with kit.home(tmp_path):
        for purpose in (*certs.SIGNING_PURPOSES, *certs.STAMPING_PURPOSES):
            assert stat.S_IMODE(keyring.path(purpose).stat().st_mode) == 0o600
        assert stat.S_IMODE(keyring.directory().stat().st_mode) == 0o700
        for purpose in ("c2pa_ca_cert", "c2pa_chain", "tsa_ca_cert", "tsa_cert"):
            assert "development" in _certificate(purpose).subject.rfc4514_string()
        before = keyring.read("c2pa_ca_cert")
        assert certs.create_authorities() == []
        assert keyring.read("c2pa_ca_cert") == before


def test_a_half_lost_authority_is_not_replaced(tmp_path: Path) -> None:
    with kit.home(tmp_path):
        keyring.path("c2pa_leaf").unlink()
        with pytest.raises(ConfigurationError, match="c2pa_leaf"):
            certs.create_authorities()


def test_keys_are_made_nowhere_but_in_the_keyring(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        certs.create_authorities(tmp_path / "elsewhere")


def test_leaf_follows_the_c2pa_certificate_profile() -> None:
    root, leaf = _certificate("c2pa_ca_cert"), _certificate("c2pa_chain")
    leaf.verify_directly_issued_by(root)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        certs.CLAIM_SIGNING,
    }
    assert leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.not_valid_after_utc < root.not_valid_after_utc


def test_stamp_certificate_has_one_critical_usage_and_outlives_the_leaf() -> None:
    root, stamper = _certificate("tsa_ca_cert"), _certificate("tsa_cert")
    stamper.verify_directly_issued_by(root)
    usage = stamper.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical
    assert list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
    assert stamper.not_valid_after_utc > _certificate("c2pa_chain").not_valid_after_utc


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_openssl_accepts_our_stamp_and_only_for_its_own_data(tmp_path: Path, digest: str) -> None:
    def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = ["openssl", "ts", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    (tmp_path / "data").write_bytes(b"signature bytes")
    (tmp_path / "other").write_bytes(b"other bytes")
    assert openssl("-query", "-data", "data", f"-{digest}", "-cert", "-out", "q").returncode == 0
    with timestamps.authority() as address:
        request = urllib.request.Request(address, data=(tmp_path / "q").read_bytes(), method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            (tmp_path / "r").write_bytes(answer.read())
    root = keyring.path("tsa_ca_cert")
    good = openssl("-verify", "-queryfile", "q", "-in", "r", "-CAfile", root)
    assert good.returncode == 0, good.stderr
    assert openssl("-verify", "-data", "other", "-in", "r", "-CAfile", root).returncode != 0
    assert (
        openssl("-verify", "-queryfile", "q", "-in", "r", "-CAfile", keyring.path("c2pa_ca_cert")).returncode
        != 0
    )


def test_stamper_answers_only_at_its_secret_address_and_is_gone_afterwards() -> None:
    with timestamps.authority() as address:
        guess = urllib.request.Request(address.rpartition("/")[0] + "/", data=b"0", method="POST")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(guess, timeout=5)
        junk = urllib.request.Request(address, data=b"\x30\x82\xff\xff", method="POST")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(junk, timeout=5)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(urllib.request.Request(address, data=b"0", method="POST"), timeout=5)


def test_stamper_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("no_proxy", raising=False)
    with timestamps.authority():
        assert os.environ["NO_PROXY"] == "example.org,127.0.0.1"
        assert os.environ["no_proxy"] == "127.0.0.1"


def test_one_server_serves_many_signatures_and_each_address_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    with timestamps.authority() as first, timestamps.authority() as second:
        assert first.rpartition("/")[0] == second.rpartition("/")[0]
        assert first != second
    with timestamps.authority() as third:
        assert third not in (first, second)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(urllib.request.Request(first, data=b"0", method="POST"), timeout=5)


# ------------------------------------------------------------------ an outside authority


@pytest.fixture
def outside(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A real https server with a certificate for localhost; `answer` decides what it says."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "tls.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    asked: list[bytes] = []
    made = SimpleNamespace(asked=asked, answer=lambda handler, query: None)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            made.answer(self, asked[-1])

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    made.url = f"https://localhost:{server.server_address[1]}/stamp"
    settings.BYLINE = {**settings.BYLINE, "C2PA_TSA_URL": made.url}
    yield made
    server.shutdown()
    server.server_close()


def send(handler: Any, body: bytes, kind: str = "application/timestamp-reply") -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


MANIFEST = {
    "title": "A test clip",
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "data": {
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation",
                    }
                ]
            },
        }
    ],
}


def _sign(directory: Path) -> Path:
    target = directory / "out.wav"
    signing.sign_file(kit.write_wav(directory / "in.wav"), target, MANIFEST)
    return target


def test_an_outside_authority_stamps_what_we_sign(outside: SimpleNamespace, tmp_path: Path) -> None:
    authority = certs.root("an outside time-stamp root")
    stamper = certs.leaf(authority, "an outside stamper", [ExtendedKeyUsageOID.TIME_STAMPING], days=1)
    outside.answer = lambda handler, query: send(
        handler, timestamps.reply(query, stamper.key, stamper.certificate)
    )
    with kit.home(tmp_path / "home"):
        keyring.path("tsa_ca_cert").write_bytes(authority.pem)
        for purpose in ("tsa", "tsa_cert"):
            keyring.path(purpose).unlink()  # nothing of our own stamper is needed
        held = reading.read(_sign(tmp_path), TrustBundle.from_installation())
    assert (held.state, held.stamped) == ("Trusted", True)
    assert len(outside.asked) == 1


def _redirect(handler: Any, query: bytes) -> None:
    handler.send_response(302)
    handler.send_header("Location", "https://localhost:1/elsewhere")
    handler.end_headers()


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda handler, query: handler.send_error(503), "status 503"),
        (_redirect, "status 302"),
        (lambda handler, query: send(handler, b"<html>", "text/html"), "no time stamp"),
        (lambda handler, query: send(handler, bytes(100_000)), "no time stamp"),
        (lambda handler, query: handler.connection.close(), "cannot be reached"),
    ],
)
def test_an_authority_that_fails_is_named_and_nothing_is_signed(
    outside: SimpleNamespace, tmp_path: Path, answer: Any, match: str
) -> None:
    outside.answer = answer
    with pytest.raises(timestamps.StampUnavailable, match=f"localhost .*{match}"):
        _sign(tmp_path)
    assert not (tmp_path / "out.wav").exists()
    assert len(outside.asked) == 2, "one second attempt, no more"


@pytest.mark.parametrize("url", ["http://example.org/", "https://", "https://a:b@example.org/", "ftp://x/"])
def test_only_https_is_accepted(settings: Any, tmp_path: Path, url: str) -> None:
    settings.BYLINE = {**settings.BYLINE, "C2PA_TSA_URL": url}
    with pytest.raises(ConfigurationError, match="C2PA_TSA_URL"):
        _sign(tmp_path)


def test_stamp_says_the_time_it_was_given() -> None:
    issued = certs.leaf(certs.root("development test"), "tsa", [ExtendedKeyUsageOID.TIME_STAMPING], days=1)
    algorithm = der.write(der.SEQUENCE, der.oid("2.16.840.1.101.3.4.2.1"))
    imprint = der.write(der.SEQUENCE, algorithm, der.write(der.OCTETS, bytes(32)))
    query = der.write(der.SEQUENCE, der.integer(1), imprint)
    moment = dt.datetime(2026, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    assert b"20260203040506Z" in timestamps.reply(query, issued.key, issued.certificate, moment)


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"\x30\x00",
        b"\x30\x80\x00\x00",
        b"\x30\x84\xff\xff\xff\xff",
        der.write(der.SEQUENCE, der.integer(2), der.write(der.SEQUENCE)),
        der.write(
            der.SEQUENCE,
            der.integer(1),
            der.write(
                der.SEQUENCE,
                der.write(der.SEQUENCE, der.oid("1.3.14.3.2.26")),  # SHA-1
                der.write(der.OCTETS, bytes(20)),
            ),
        ),
    ],
)
def test_other_queries_are_refused(query: bytes) -> None:
    issued = certs.leaf(certs.root("development test"), "tsa", [ExtendedKeyUsageOID.TIME_STAMPING], days=1)
    with pytest.raises(der.DerError):
        timestamps.reply(query, issued.key, issued.certificate)


def test_der_integers_and_identifiers() -> None:
    assert der.integer(0) == b"\x02\x01\x00"
    assert der.integer(128) == b"\x02\x02\x00\x80"  # X.690 8.3: a leading zero keeps it positive
    assert der.oid("1.2.840.113549") == bytes.fromhex("06062a864886f70d")
    assert der.write(der.OCTETS, bytes(200))[:3] == b"\x04\x81\xc8"
