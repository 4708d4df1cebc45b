"""A local RFC 3161 time-stamp authority that lives for the length of one signature.

Promises: inside `authority()` a server answers time-stamp queries on a loopback port that the
system picked, at an address nobody else can guess, and is gone afterwards; each reply is a CMS
SignedData over a TSTInfo with the query's own digest and nonce, signed by the keyring's "tsa" key
(RFC 3161, RFC 5652, RFC 5035 for the certificate hash). `reply` is pure apart from the clock.
What such a stamp proves: that the holder of this installation's stamp key saw the signature at
that time. It is not an independent witness; the audit log's checkpoint and an outside authority
would be. Left out: accuracy below one second, ordering, policies other than our own.
"""

import datetime as dt
import http.server
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from byline.audit.base import keyring
from byline.audit.base.errors import ConfigurationError
from byline.provenance import der

POLICY = "2.25.151969986609198579117824966407002624044"  # from a random UUID (X.667): nobody registers it
_SHA256 = "2.16.840.1.101.3.4.2.1"
_DIGEST_SIZES = {_SHA256: 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}
_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_TIME, _SIGNING_CERTIFICATE = "1.2.840.113549.1.9.5", "1.2.840.113549.1.9.16.2.47"
_MAX_QUERY = 4096  # a query is about 60 bytes


@contextmanager
def authority() -> Iterator[str]:
    """Serve time stamps on 127.0.0.1 while the block runs; yields the address for the signer."""
    _reach_loopback_directly()
    key = _key(keyring.read("tsa"))
    certificate = x509.load_pem_x509_certificate(keyring.read("tsa_cert"))
    path = "/" + secrets.token_urlsafe(16)  # other users of the machine reach the port, not the stamp

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != path or not length.isdigit() or int(length) > _MAX_QUERY:
                self.send_error(404)
                return
            try:
                body = reply(self.rfile.read(int(length)), key, certificate)
            except der.DerError:
                self.send_error(400)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the address is a secret."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reach_loopback_directly() -> None:
    """Keep the C2PA library from asking the machine's HTTP proxy for an address on this machine."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if "127.0.0.1" not in hosts and "*" not in hosts:
            os.environ[name] = ",".join([*hosts, "127.0.0.1"])


def reply(
    query: bytes,
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    now: dt.datetime | None = None,
) -> bytes:
    """The DER TimeStampResp to a DER TimeStampReq. DerError when the query is not one we answer."""
    imprint, nonce = _read_query(query)
    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    serial = certificate.serial_number
    info = der.write(
        der.SEQUENCE,
        der.integer(1),
        der.oid(POLICY),
        imprint,
        der.integer(secrets.randbits(64) | 1),
        der.write(der.TIME, moment.strftime("%Y%m%d%H%M%SZ").encode()),
        der.write(der.SEQUENCE, der.integer(1)),  # accuracy: one second
        nonce,
    )
    encoded = certificate.public_bytes(serialization.Encoding.DER)
    issuer = certificate.issuer.public_bytes()
    attributes = [
        _attribute(_CONTENT_TYPE, der.oid(_TST_INFO)),
        _attribute(_SIGNING_TIME, der.write(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())),
        _attribute(_MESSAGE_DIGEST, der.write(der.OCTETS, _sha256(info))),
        _attribute(_SIGNING_CERTIFICATE, _certificate_hash(encoded, issuer, serial)),
    ]
    # RFC 5652 section 5.4: what is signed is the attributes as a SET, what is sent carries tag [0].
    signature = key.sign(der.set_of(*attributes), ec.ECDSA(hashes.SHA256()))
    signer = der.write(
        der.SEQUENCE,
        der.integer(1),
        der.write(der.SEQUENCE, issuer, der.integer(serial)),
        _algorithm(_SHA256),
        der.write(0xA0, *sorted(attributes)),
        _algorithm(_ECDSA_SHA256),
        der.write(der.OCTETS, signature),
    )
    signed = der.write(
        der.SEQUENCE,
        der.integer(3),
        der.set_of(_algorithm(_SHA256)),
        der.write(der.SEQUENCE, der.oid(_TST_INFO), der.write(0xA0, der.write(der.OCTETS, info))),
        der.write(0xA0, encoded),
        der.set_of(signer),
    )
    token = der.write(der.SEQUENCE, der.oid(_SIGNED_DATA), der.write(0xA0, signed))
    granted = der.write(der.SEQUENCE, der.integer(0))
    return der.write(der.SEQUENCE, granted, token)


def _read_query(query: bytes) -> tuple[bytes, bytes]:
    """(MessageImprint, nonce or nothing), both as they were encoded. DerError otherwise."""
    values = list(der.children(query))
    if len(values) != 1 or values[0][0] != der.SEQUENCE:
        raise der.DerError("not a time-stamp query")
    fields = list(der.children(values[0][1]))
    if len(fields) < 2 or fields[0][1] != b"\x01" or fields[1][0] != der.SEQUENCE:
        raise der.DerError("not a version 1 query")
    imprint = list(der.children(fields[1][1]))
    if len(imprint) != 2 or imprint[1][0] != der.OCTETS:
        raise der.DerError("the query has no message imprint")
    algorithm = next(der.children(imprint[0][1]), (0, b"", b""))[2]
    sizes = {der.oid(dotted): size for dotted, size in _DIGEST_SIZES.items()}
    if sizes.get(algorithm) != len(imprint[1][1]):
        raise der.DerError("the query's digest is not SHA-256, SHA-384 or SHA-512")
    nonces = [whole for tag, _, whole in fields[2:] if tag == der.INTEGER]
    return fields[1][2], nonces[0] if nonces else b""


def _certificate_hash(encoded: bytes, issuer: bytes, serial: int) -> bytes:
    """SigningCertificateV2 with SHA-256, its default, so the algorithm is left out (RFC 5035 section 3)."""
    names = der.write(der.SEQUENCE, der.write(0xA4, issuer))
    identifier = der.write(
        der.SEQUENCE,
        der.write(der.OCTETS, _sha256(encoded)),
        der.write(der.SEQUENCE, names, der.integer(serial)),
    )
    return der.write(der.SEQUENCE, der.write(der.SEQUENCE, identifier))


def _attribute(name: str, value: bytes) -> bytes:
    return der.write(der.SEQUENCE, der.oid(name), der.set_of(value))


def _algorithm(name: str) -> bytes:
    return der.write(der.SEQUENCE, der.oid(name))


def _sha256(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def _key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError("the time-stamp key is not an elliptic-curve key")
    return key
