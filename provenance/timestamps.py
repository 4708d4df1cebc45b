"""RFC 3161 time stamps for signatures: from a local authority, or from an outside one through a relay.

Promises: inside `authority()` a server of this process answers time-stamp queries on a loopback
port that the system picked, at an address nobody else can guess and that means nothing afterwards.
Without `BYLINE["C2PA_TSA_URL"]` each reply is a CMS SignedData over a TSTInfo with the query's own
digest and nonce, signed by the keyring's "tsa" key (RFC 3161, RFC 5652, RFC 5035 for the
certificate hash). With it, the query is handed on to that one https address, bounded in time and
size and without following redirects, so that the C2PA library itself never leaves the machine;
StampUnavailable says what was wrong. `reply` is pure apart from the clock.
What our own stamp proves: that the holder of this installation's stamp key saw the signature at
that time. It is not an independent witness; the audit log's checkpoint and an outside authority
would be. Left out: accuracy below one second, ordering, policies other than our own.
"""

import datetime as dt
import http.server
import os
import secrets
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from byline.audit.base import conf, keyring
from byline.audit.base.errors import BylineError, ConfigurationError
from byline.provenance import der

POLICY = "2.25.151969986609198579117824966407002624044"  # from a random UUID (X.667): nobody registers it
_SHA256 = "2.16.840.1.101.3.4.2.1"
_DIGEST_SIZES = {_SHA256: 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}
_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_TIME, _SIGNING_CERTIFICATE = "1.2.840.113549.1.9.5", "1.2.840.113549.1.9.16.2.47"
_MAX_QUERY = 4096  # a query is about 60 bytes
_MAX_REPLY = 64 * 1024  # a reply with a chain of RSA certificates is about 6 kB
_OUTSIDE_S, _ATTEMPTS = 5.0, 2  # together below the 30 s that the C2PA library waits for us
Stamp = Callable[[bytes], bytes]  # DER query -> DER reply


class StampUnavailable(BylineError):
    """The outside time-stamp authority gave no stamp, so nothing was signed."""

    code = "stamp_unavailable"
    status = 503
    help = "Nothing was published. Try again when the authority of BYLINE['C2PA_TSA_URL'] answers."


@contextmanager
def authority() -> Iterator[str]:
    """Serve time stamps on 127.0.0.1 while the block runs; yields the address for the signer.

    StampUnavailable in place of what the block raised, if an outside authority was the cause.
    """
    _reach_loopback_directly()
    outside = conf.get("C2PA_TSA_URL")
    problems: list[BylineError] = []
    stamp = _relay(outside, problems) if outside else _own()
    server = _server()
    path = "/" + secrets.token_urlsafe(16)  # other users of the machine reach the port, not the stamp
    server.stamps[path] = stamp
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{path}"
    except Exception as error:
        if problems:
            raise problems[0] from error
        raise
    finally:
        del server.stamps[path]


def _own() -> Stamp:
    key = _key(keyring.read("tsa"))
    certificate = x509.load_pem_x509_certificate(keyring.read("tsa_cert"))
    return lambda query: reply(query, key, certificate)


def _relay(address: str, problems: list[BylineError]) -> Stamp:
    """Hands queries on to `address`; what goes wrong is put into `problems`, because HTTP loses it."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise ConfigurationError(
            "BYLINE['C2PA_TSA_URL'] is no https address without a user name",
            help="Give an https:// address, or leave it empty for the local authority.",
        )
    host = parts.hostname

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            """None: a redirect would be a host that nobody configured."""

    opener = urllib.request.build_opener(Stay)

    def stamp(query: bytes) -> bytes:
        request = urllib.request.Request(  # noqa: S310  the scheme was checked above
            address, data=query, headers={"Content-Type": "application/timestamp-query"}
        )
        for _ in range(_ATTEMPTS):
            try:
                with opener.open(request, timeout=_OUTSIDE_S) as response:
                    body: bytes = response.read(_MAX_REPLY + 1)
                    kind = response.headers.get_content_type()
            except urllib.error.HTTPError as error:
                problem = f"answered with status {error.code}"
            except (OSError, ValueError) as error:
                problem = f"cannot be reached ({type(error).__name__})"
            else:
                if kind == "application/timestamp-reply" and len(body) <= _MAX_REPLY:
                    return body
                problem = "answered with something that is no time stamp"
        problems.append(StampUnavailable(f"the time-stamp authority {host} {problem}"))
        raise problems[-1]

    return stamp


class _Server(http.server.ThreadingHTTPServer):
    """One per process: starting one costs more than a stamp does."""

    daemon_threads = True
    stamps: dict[str, Stamp]


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10
    server: _Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        stamp = self.server.stamps.get(self.path)
        if stamp is None or not length.isdigit() or int(length) > _MAX_QUERY:
            self.send_error(404)
            return
        try:
            body = stamp(self.rfile.read(int(length)))
        except der.DerError:
            self.send_error(400)
            return
        except StampUnavailable:
            self.send_error(502)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the address is a secret."""


_running: tuple[int, _Server] | None = None  # (process, its server)
_starting = threading.Lock()


def _server() -> _Server:
    """This process's server; a child of fork has inherited the socket, but no thread that answers."""
    global _running
    with _starting:
        if _running is not None and _running[0] == os.getpid():
            return _running[1]
        if _running is not None:
            _running[1].socket.close()
        server = _Server(("127.0.0.1", 0), _Handler)
        server.stamps = {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _running = os.getpid(), server
        return server


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
