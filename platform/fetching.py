"""The one way in which Byline fetches an address that somebody else named.

Promises (OWASP server-side request forgery; CWE-918): only https, only hosts on the caller's list,
only ports 80 and 443, no credentials in the address; the name is resolved once, every address it
has must be a public one, and the connection goes to exactly the address that was checked, so a name
that changes its mind (DNS rebinding) gains nothing. Each redirect is checked like a first address,
three at most, and never from https to http. Size and time are capped over the whole exchange, a
server that sends one byte a minute included. No cookies, no proxy from the environment, nothing
written to disk. Each refusal is a 4xx that says what to do. Left out: robots.txt, caching, retries.
"""

import http.client
import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from byline.audit.base.errors import BylineError

MAX_URL = 2048
_CHUNK = 1 << 16
_REDIRECTS = {301, 302, 303, 307, 308}
_AGENT = "Byline-verify/1"
# Not a stranger's web server, whatever the standard library says of it: protocol assignments (one cloud's
# metadata host among them), relays of 6to4, and another cloud's metadata host.
_NOT_A_SITE = [ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")]
# IPv6 is allow-listed: global unicast, without the blocks that wrap an IPv4 address (6to4, Teredo), are
# reserved for protocols, or for documentation. NAT64 (64:ff9b::/96) and ::ffff:0:0/96 are outside of it.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_V6 = [ipaddress.IPv6Network(t) for t in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]

Resolver = Callable[[str, int], Sequence[str]]


class FetchRefused(BylineError):
    """An address that is not fetched, or an answer that is not taken. `code` says which."""

    code = "url_refused"
    status = 400
    help = "Download the file yourself and send it instead of its address."

    def __init__(self, code: str, message: str, *, status: int = 400, help: str | None = None) -> None:
        super().__init__(message, help=help)
        self.code, self.status = code, status


@dataclass(frozen=True)
class Rules:
    """What may be fetched. `hosts`: exact names, "*.example.org" for names below it, "*" for any.

    `private=True` and `ports=None` are for an address that the person at the command line typed:
    then it is no forgery. A server must leave them as they are.
    """

    hosts: tuple[str, ...]
    max_bytes: int
    seconds: float = 20.0
    schemes: tuple[str, ...] = ("https",)
    ports: frozenset[int] | None = frozenset({80, 443})
    private: bool = False
    redirects: int = 3


@dataclass(frozen=True)
class Fetched:
    """What came back; the body went into the caller's file. `url` is the last address asked."""

    url: str
    size: int
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def fetch(
    url: str,
    rules: Rules,
    into: BinaryIO,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    resolve: Resolver | None = None,
) -> Fetched:
    """Fetch one address into an open file and leave its position at the start. FetchRefused says why not."""
    deadline = time.monotonic() + rules.seconds
    for _ in range(rules.redirects + 1):
        parts = check_url(url, rules)
        address = _address(parts, rules, resolve or _lookup, deadline)
        answer = _exchange(parts, address, rules, into, deadline, method, body, headers or {})
        if isinstance(answer, Fetched):
            return answer
        if method != "GET":
            raise FetchRefused("url_redirect", "the address forwards elsewhere", status=422)
        target = urljoin(url, answer)
        if parts.scheme == "https" and urlsplit(target).scheme == "http":
            raise FetchRefused("url_redirect", "the address forwards from https to http", status=422)
        url = target
    raise FetchRefused("url_redirect", f"the address forwards more than {rules.redirects} times", status=422)


def check_url(url: str, rules: Rules) -> SplitResult:
    """The parts of an address that keeps the rules; no name is looked up. FetchRefused otherwise."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url or "\\" in url:
        raise FetchRefused("url_invalid", "this is not a web address", help="Give one https address.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        name = host if ":" in host else host.encode("idna").decode("ascii").lower()
    except (ValueError, UnicodeError) as error:
        raise FetchRefused(
            "url_invalid", "this is not a web address", help="Give one https address."
        ) from error
    if parts.scheme not in rules.schemes:
        wanted = " or ".join(rules.schemes)
        raise FetchRefused("url_scheme", f"only {wanted} addresses are fetched", help=f"Use {wanted}.")
    if not name or "%" in name:
        raise FetchRefused("url_invalid", "the address names no host", help="Give one https address.")
    if "@" in parts.netloc:
        raise FetchRefused(
            "url_credentials", "the address holds a user name", help="Remove everything before the @."
        )
    if rules.ports is not None and (port or _default(parts)) not in rules.ports:
        raise FetchRefused("url_port", "only ports 80 and 443 are asked", help="Leave the port out.")
    if not _listed(name, rules.hosts):
        raise FetchRefused("url_host", "files from this host are not fetched here", status=403)
    target = quote(parts.path or "/", safe="%/:=&~+!$,;'@()*[]")
    query = quote(parts.query, safe="%/:=&?~+!$,;'@()*[]")
    netloc = f"[{name}]" if ":" in name else name
    return SplitResult(parts.scheme, f"{netloc}:{port}" if port else netloc, target, query, "")


def is_public(address: str) -> bool:
    """Whether an IP address is one on which a stranger's web site may be."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _GLOBAL_V6 and not any(ip in block for block in _NOT_V6)
    return (
        ip.is_global and not ip.is_multicast and not ip.is_reserved and not any(ip in n for n in _NOT_A_SITE)
    )


def _listed(name: str, hosts: Sequence[str]) -> bool:
    for host in hosts:
        entry = host.strip().lower().rstrip(".")
        if entry in ("*", name) or (entry.startswith("*.") and name.endswith(entry[1:])):
            return True
    return False


def _default(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _address(parts: SplitResult, rules: Rules, resolve: Resolver, deadline: float) -> str:
    """The one address to connect to. One private address among several refuses them all."""
    host, port = parts.hostname or "", parts.port or _default(parts)
    found = _in_time(lambda: list(resolve(host, port)), deadline)
    if not found:
        raise FetchRefused("url_unreachable", "the host's name leads nowhere", status=422)
    if not rules.private and not all(is_public(address) for address in found):
        raise FetchRefused("url_address", "the host is not on the public internet", status=403)
    return found[0]


def _lookup(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(item[4][0]) for item in found]


def _in_time(work: Callable[[], list[str]], deadline: float) -> list[str]:
    """A look-up cannot be interrupted: it is left behind in a thread of its own when it takes too long."""
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(work()), daemon=True).start()
    try:
        return answers.get(timeout=max(0.01, deadline - time.monotonic()))
    except queue.Empty:
        raise _too_slow() from None


def _too_slow() -> FetchRefused:
    return FetchRefused("url_timeout", "the host took too long", status=422)


class _Timed(io.RawIOBase):
    """The reading side of a socket on which every single read has only what is left of the whole time."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


class _Wire:
    """What http.client uses of a socket. It closes it before the body is read: `end` really does."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(max(0.01, self._deadline - time.monotonic()))
        self._sock.sendall(data)

    def makefile(self, mode: str = "rb", *args: Any, **kwargs: Any) -> BinaryIO:
        return io.BufferedReader(_Timed(self._sock, self._deadline))

    def close(self) -> None:
        pass

    def end(self) -> None:
        self._sock.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was checked; the name is used for TLS and the Host line only."""

    def __init__(self, parts: SplitResult, address: str, deadline: float) -> None:
        self.default_port = _default(parts)
        super().__init__(parts.hostname or "", parts.port or self.default_port)
        self._tls, self._address, self._deadline = parts.scheme == "https", address, deadline
        self._wire: _Wire | None = None

    def connect(self) -> None:
        left = max(0.01, self._deadline - time.monotonic())
        sock = socket.create_connection((self._address, self.port), timeout=left)
        if self._tls:
            try:
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self.host)
            except BaseException:
                sock.close()
                raise
        self.sock = self._wire = _Wire(sock, self._deadline)

    def end(self) -> None:
        if self._wire is not None:
            self._wire.end()


def _exchange(
    parts: SplitResult,
    address: str,
    rules: Rules,
    into: BinaryIO,
    deadline: float,
    method: str,
    body: bytes | None,
    headers: Mapping[str, str],
) -> Fetched | str:
    """One request: what came back, or the address that it forwards to."""
    connection = _Pinned(parts, address, deadline)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    sent = {"User-Agent": _AGENT, "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
    try:
        connection.request(method, target, body=body, headers={**sent, **headers})
        response = connection.getresponse()
        if response.status in _REDIRECTS and response.getheader("Location"):
            return str(response.getheader("Location"))
        return _body(parts.geturl(), response, rules, into)
    except TimeoutError as error:
        raise _too_slow() from error
    except ssl.SSLError as error:
        raise FetchRefused("url_tls", "the host's certificate does not hold", status=422) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchRefused("url_unreachable", "the host did not answer as a web site", status=422) from error
    finally:
        connection.end()


def _body(url: str, response: http.client.HTTPResponse, rules: Rules, into: BinaryIO) -> Fetched:
    if response.status != 200:
        raise FetchRefused("url_status", f"the host answered {response.status}", status=422)
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise FetchRefused("url_encoding", "the host packed its answer though asked not to", status=422)
    too_large = FetchRefused(
        "url_too_large",
        f"the file behind the address is larger than {rules.max_bytes} bytes",
        status=413,
        help="Download it and run `byline verify` on your own machine.",
    )
    announced = response.getheader("Content-Length", "")
    if announced.isdecimal() and int(announced) > rules.max_bytes:
        raise too_large
    size = 0
    while chunk := response.read(_CHUNK):
        size += len(chunk)
        if size > rules.max_bytes:
            raise too_large
        into.write(chunk)
    if announced.isdecimal() and size != int(announced):  # a cut file must not be called tampered
        raise FetchRefused("url_unreachable", "the answer broke off", status=422)
    into.flush()
    into.seek(0)
    kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()[:100]
    return Fetched(url, size, kind, {k.lower(): v for k, v in response.getheaders()})
