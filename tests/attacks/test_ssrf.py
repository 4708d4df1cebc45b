"""An address given for verification must not make the server ask what a stranger cannot reach himself."""

import http.server
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.platform import fetching
from byline.platform.fetching import FetchRefused, Rules, fetch, is_public

PUBLIC = Rules(hosts=("*",), max_bytes=1000, seconds=3)
# For what happens after the address was accepted: a server on this machine.
LOCAL = Rules(hosts=("*",), max_bytes=1000, seconds=1.5, schemes=("http",), ports=None, private=True)


def refused(url: str, rules: Rules = PUBLIC, resolve: Any = None) -> FetchRefused:
    with pytest.raises(FetchRefused) as caught:
        fetch(url, rules, io.BytesIO(), resolve=resolve or (lambda host, port: ["192.0.2.1"]))
    assert 400 <= caught.value.status < 500
    assert caught.value.help
    return caught.value


PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # metadata of most clouds
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # metadata of another cloud
    "168.63.129.16",  # and of one more, on a public address
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "192.88.99.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",  # 6to4
    "2001:0:5ef5:79fb::1",  # Teredo
    "2001:db8::1",
    "fe80::1",
    "fec0::1",
    "fd00:ec2::254",  # metadata over IPv6
    "ff02::1",
    "not an address",
    "127.0.0.1%lo",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str):
    assert not is_public(address)
    assert refused("https://innocent.example/a", resolve=lambda host, port: [address]).code == "url_address"


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_is_not_refused(address: str):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_becomes_public_by_being_wrapped(address: Any):
    number = int(address)
    for wrapped in (f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}"):
        assert not is_public(wrapped)
    assert not is_public(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1")


def test_one_private_address_among_public_ones_refuses_them_all():
    answers = ["8.8.8.8", "10.0.0.1"]
    assert refused("https://both.example/", resolve=lambda host, port: answers).code == "url_address"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://news.example/a.mp4", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "url_scheme"),
        ("ftp://news.example/a", "url_scheme"),
        ("data:text/plain,hello", "url_scheme"),
        ("//news.example/a", "url_scheme"),
        ("https://user:secret@news.example/a", "url_credentials"),
        ("https://news.example@127.0.0.1/", "url_credentials"),
        ("https://@127.0.0.1/", "url_credentials"),
        ("https://news.example:22/a", "url_port"),
        ("https://news.example:8443/a", "url_port"),
        ("https://news.example:99999/a", "url_invalid"),
        ("https:///a", "url_invalid"),
        ("https://[::1/a", "url_invalid"),
        ("https://[fe80::1%25eth0]/a", "url_invalid"),
        ("https://news.example/a b", "url_invalid"),
        ("https://news.example/\r\nHost: 127.0.0.1", "url_invalid"),
        ("https://news.example\\@127.0.0.1/", "url_invalid"),
        ("https://" + "a" * 70 + ".example/", "url_invalid"),
        ("https://news.example/" + "a" * 3000, "url_invalid"),
        ("", "url_scheme"),
    ],
)
def test_odd_addresses_are_refused_before_any_name_is_looked_up(url: str, code: str):
    def never(host: str, port: int) -> list[str]:
        raise AssertionError("a name was looked up")

    assert refused(url, resolve=never).code == code


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost", "017700000001", "[::1]"])
def test_other_spellings_of_this_machine_are_refused(host: str):
    assert refused(f"https://{host}/", resolve=fetching._lookup).code in {"url_address", "url_unreachable"}


@pytest.mark.parametrize(
    "host", ["other.example", "news.example.evil.example", "evilnews.example", "xnews.example", "example"]
)
def test_only_listed_hosts_are_asked(host: str):
    rules = Rules(hosts=("news.example", "*.cdn.example"), max_bytes=10)
    error = refused(f"https://{host}/", rules, resolve=lambda h, p: pytest.fail("looked up"))
    assert (error.code, error.status) == ("url_host", 403)


@pytest.mark.parametrize("host", ["news.example", "NEWS.example", "news.example.", "a.cdn.example"])
def test_listed_hosts_are_found_in_every_spelling(host: str):
    rules = Rules(hosts=("news.example", "*.cdn.example"), max_bytes=10)
    assert fetching.check_url(f"https://{host}/x?y=1#z", rules).path == "/x"


# ---------------------------------------------------------------- servers that misbehave


class Site(http.server.BaseHTTPRequestHandler):
    """Answers by `Site.answer(handler)`; remembers what it was asked."""

    answer: Callable[["Site"], None] = lambda site: site.head(404)
    asked: list[tuple[str, str]] = []
    seen: dict[str, str] = {}

    def do_GET(self) -> None:
        Site.asked.append((self.headers["Host"], self.path))
        Site.seen = dict(self.headers)
        Site.answer(self)

    def head(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Site.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_a_file_arrives_whole_without_cookies_or_credentials(port: int, monkeypatch: Any):
    def answer(site: Site) -> None:
        site.head(200, Content_Length="5", Content_Type="video/mp4; x=y", Set_Cookie="a=b")
        site.wfile.write(b"bytes")

    monkeypatch.setattr(Site, "answer", answer)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # a proxy of the environment is not asked
    into = io.BytesIO()
    got = fetch(f"http://news.example:{port}/a.mp4?b=1", LOCAL, into, resolve=here)
    assert into.read() == b"bytes"
    assert (got.size, got.content_type) == (5, "video/mp4")
    assert Site.asked == [(f"news.example:{port}", "/a.mp4?b=1")]
    assert not {"Cookie", "Authorization", "Referer"} & set(Site.seen)


def test_the_name_is_looked_up_once_and_the_connection_goes_there(port: int, monkeypatch: Any):
    """DNS rebinding: the second answer would be another machine."""
    answers = iter([["127.0.0.1"], ["192.0.2.99"]])
    monkeypatch.setattr(Site, "answer", lambda site: site.head(200, Content_Length="0"))
    fetch(f"http://rebind.example:{port}/", LOCAL, io.BytesIO(), resolve=lambda host, port: next(answers))
    assert next(answers) == ["192.0.2.99"]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://other.example/", "url_host"),
        ("file:///etc/passwd", "url_scheme"),
        ("http://user@news.example/", "url_credentials"),
        ("http://169.254.169.254/latest/meta-data/", "url_host"),
    ],
)
def test_every_hop_of_a_redirect_keeps_the_rules(port: int, monkeypatch: Any, target: str, code: str):
    monkeypatch.setattr(Site, "answer", lambda site: site.head(302, Location=target))
    rules = Rules(hosts=("news.example",), max_bytes=9, schemes=("http",), ports=None, private=True)
    assert refused(f"http://news.example:{port}/", rules, here).code == code
    assert len(Site.asked) == 1


def test_a_redirect_to_a_private_address_is_refused(port: int, monkeypatch: Any):
    """The first hop is public by the resolver's word; the second name is not."""
    monkeypatch.setattr(Site, "answer", lambda site: site.head(302, Location="http://inside.example/"))
    monkeypatch.setattr(fetching, "is_public", lambda address: address == "127.0.0.1")
    rules = Rules(hosts=("*",), max_bytes=9, schemes=("http",), ports=None)
    names = {"news.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]}
    error = refused(f"http://news.example:{port}/", rules, lambda host, port: names[host])
    assert error.code == "url_address"


def test_a_chain_of_redirects_ends(port: int, monkeypatch: Any):
    monkeypatch.setattr(Site, "answer", lambda site: site.head(302, Location=f"/{len(Site.asked)}"))
    assert refused(f"http://news.example:{port}/", LOCAL, here).code == "url_redirect"
    assert len(Site.asked) == 4


def test_a_redirect_never_leaves_https(monkeypatch: Any):
    monkeypatch.setattr(fetching, "_exchange", lambda *args: "http://news.example/")
    rules = Rules(hosts=("*",), max_bytes=9, schemes=("https", "http"))
    assert refused("https://news.example/", rules, lambda host, port: ["8.8.8.8"]).code == "url_redirect"


def test_size_is_capped_whether_announced_or_not(port: int, monkeypatch: Any):
    monkeypatch.setattr(Site, "answer", lambda site: site.head(200, Content_Length="5000000"))
    assert refused(f"http://news.example:{port}/", LOCAL, here).code == "url_too_large"

    def endless(site: Site) -> None:
        site.head(200)
        try:
            while True:
                site.wfile.write(b"x" * 4096)
        except OSError:
            pass

    monkeypatch.setattr(Site, "answer", endless)
    error = refused(f"http://news.example:{port}/", LOCAL, here)
    assert (error.code, error.status) == ("url_too_large", 413)


def test_a_cut_answer_is_not_taken_for_the_file(port: int, monkeypatch: Any):
    def cut(site: Site) -> None:
        site.head(200, Content_Length="10")
        site.wfile.write(b"half")

    monkeypatch.setattr(Site, "answer", cut)
    assert refused(f"http://news.example:{port}/", LOCAL, here).code == "url_unreachable"


@pytest.mark.parametrize("part", ["head", "body"])
def test_one_byte_at_a_time_ends_in_time(port: int, monkeypatch: Any, part: str):
    def drip(site: Site) -> None:
        try:
            if part == "body":
                site.head(200)
            else:
                site.wfile.write(b"HTTP/1.0 200 OK\r\n")
            for _ in range(200):
                site.wfile.write(b"x")
                site.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    monkeypatch.setattr(Site, "answer", drip)
    started = time.monotonic()
    assert refused(f"http://news.example:{port}/", LOCAL, here).code == "url_timeout"
    assert time.monotonic() - started < 6


def test_a_resolver_that_never_answers_ends_in_time():
    rules = Rules(hosts=("*",), max_bytes=9, seconds=0.3)
    error = refused("https://slow.example/", rules, lambda host, port: time.sleep(5) or [])
    assert error.code == "url_timeout"


@pytest.mark.parametrize("code", [204, 206, 304, 401, 404, 500])
def test_only_a_plain_answer_is_taken(port: int, monkeypatch: Any, code: int):
    monkeypatch.setattr(Site, "answer", lambda site: site.head(code, Content_Length="0"))
    assert refused(f"http://news.example:{port}/", LOCAL, here).code in {"url_status", "url_unreachable"}


def test_a_packed_answer_is_not_unpacked(port: int, monkeypatch: Any):
    monkeypatch.setattr(Site, "answer", lambda site: site.head(200, Content_Encoding="gzip"))
    assert refused(f"http://news.example:{port}/", LOCAL, here).code == "url_encoding"


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500])
def test_what_is_no_web_site_is_a_refusal(reply: bytes):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(reply)

        threading.Thread(target=once, daemon=True).start()
        url = f"http://news.example:{server.getsockname()[1]}/"
        assert refused(url, LOCAL, here).code == "url_unreachable"


def test_a_certificate_of_nobody_is_a_refusal(tmp_path: Any):
    """A plain server where TLS is spoken: the handshake fails and nothing is sent in clear."""
    got = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            connection, _ = server.accept()
            with connection:
                got.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

        threading.Thread(target=once, daemon=True).start()
        rules = Rules(hosts=("*",), max_bytes=9, seconds=3, ports=None, private=True)
        error = refused(f"https://news.example:{server.getsockname()[1]}/secret", rules, here)
    assert error.code == "url_tls"
    assert b"secret" not in got[0]
