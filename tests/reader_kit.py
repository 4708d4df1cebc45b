"""Files signed by other people's tools: every format that the C2PA library writes, and what else it allows.

Made with the library directly and certificates of our own, not with Byline's signing: nothing here is
held to what Byline would write. `formats` needs no network and no file of anybody else.
"""

import datetime as dt
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import av
import c2pa
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID
from PIL import Image

# Well formed; neither its hash nor its signature is right.
_IDENTITY = {
    "signer_payload": {
        "referenced_assertions": [
            {"url": "self#jumbf=c2pa.assertions/c2pa.actions.v2", "hash": list(bytes(32))}
        ],
        "sig_type": "cawg.identity_claims_aggregation",
    },
    "signature": list(b"\xd2\x84\x43\xa1\x01\x27\xa0\x40\x58\x40" + bytes(64)),
    "pad1": [0, 0],
}
CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
CREATED = {"action": "c2pa.created", "digitalSourceType": CAPTURE}
_SETTINGS = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
Sign = Callable[[bytes], bytes]


# ---------------------------------------------------------------- certificates


@dataclass(frozen=True)
class Authority:
    """A root, and the leaves that it issues."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = _builder(subject, subject, key.public_key(), -30, 300)
        builder = builder.add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True)
        return cls(key, builder.sign(key, hashes.SHA256()))

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def leaf(
        self,
        algorithm: str = "es256",
        *,
        days: tuple[float, float] = (-1, 90),
        usages: Sequence[x509.ObjectIdentifier] = (Eku.EMAIL_PROTECTION,),
        authority: bool = False,
    ) -> "Leaf":
        key = _KEYS[algorithm]()
        builder = _builder(_name("A camera"), self.certificate.subject, key.public_key(), *days)
        builder = builder.add_extension(x509.BasicConstraints(authority, None), True).add_extension(
            x509.KeyUsage(True, False, False, False, False, authority, False, False, False), True
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
        )
        made = builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        return Leaf(algorithm, key, made)


@dataclass(frozen=True)
class Leaf:
    algorithm: str
    key: Any
    chain: str

    def signer(self) -> c2pa.Signer:
        return c2pa.Signer.from_callback(
            self._sign, getattr(c2pa.C2paSigningAlg, self.algorithm.upper()), self.chain, None
        )

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[self.algorithm[2:]]
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        size = (self.key.key_size + 7) // 8
        r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


_KEYS: dict[str, Callable[[], Any]] = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ps384": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Elsewhere"),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Any, first: float, last: float
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=first))
        .not_valid_after(now + dt.timedelta(days=last))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    )


# ---------------------------------------------------------------- unsigned files


def formats() -> dict[str, bytes]:
    """MIME type as a caller would name it -> a small file of that type."""
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 96, 3), dtype=np.uint8))

    def still(kind: str) -> bytes:
        out = io.BytesIO()
        picture.save(out, kind)
        return out.getvalue()

    avif = still("AVIF")
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    odt = "application/vnd.oasis.opendocument.text"
    return {
        "image/jpeg": still("JPEG"),
        "image/png": still("PNG"),
        "image/webp": still("WEBP"),
        "image/gif": still("GIF"),
        "image/tiff": still("TIFF"),
        "image/dng": still("TIFF"),
        "image/avif": avif,
        "image/heic": avif.replace(b"ftypavif", b"ftypheic", 1),  # the library looks at boxes alone
        "image/heif": avif.replace(b"ftypavif", b"ftypmif1", 1),
        "image/jxl": _JXL,
        "image/svg+xml": _SVG,
        "video/mp4": moving("mp4", "libx264"),
        "video/quicktime": moving("mov", "libx264"),
        "video/avi": moving("avi", "mpeg4"),
        "audio/mp4": heard("ipod", "aac"),
        "audio/wav": heard("wav", "pcm_s16le"),
        "audio/mpeg": heard("mp3", "libmp3lame"),
        "audio/flac": heard("flac", "flac"),
        "application/pdf": _PDF,
        "application/epub+zip": _archive("META-INF/container.xml", kind="application/epub+zip"),
        office: _archive("[Content_Types].xml", "word/document.xml"),
        odt: _archive("content.xml", kind=odt),
        "application/x-zip": _archive("a.txt"),
    }


def moving(container: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        stream = target.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for shade in range(0, 120, 20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), shade, np.uint8), format="rgb24")
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


def heard(container: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        stream = target.add_stream(codec, rate=44_100, layout="mono")
        noise = np.random.default_rng(2).normal(0, 3000, (1, 22_050)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.rate = 44_100
        target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


def _archive(*names: str, kind: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if kind:
            archive.writestr("mimetype", kind)
        for name in names:
            archive.writestr(name, "<a/>")
    return out.getvalue()


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


_SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g/></svg>'
_JXL = (
    b"\0\0\0\x0cJXL \r\n\x87\n"
    + _box(b"ftyp", b"jxl \0\0\0\0jxl ")
    + _box(b"jxlc", b"\xff\x0a\x00\x10\x50\x5c\x08\x08\x02\x01\x00")
)
_PDF = (
    b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\nxref\n0 4\n0000000000 65535 f \n"
    b"0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\n"
    b"startxref\n163\n%%EOF\n"
)


# ---------------------------------------------------------------- signed files


def claim(*assertions: dict[str, Any], actions: Sequence[dict[str, Any]] = (CREATED,), **more: Any) -> dict:
    first = {"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}
    info = [{"name": "somebody's camera", "version": "7"}]
    return {"claim_generator_info": info, "title": "x", "assertions": [first, *assertions], **more}


def sign(
    leaf: Leaf,
    mime: str,
    data: bytes,
    manifest: dict[str, Any] | None = None,
    *,
    ingredients: Sequence[tuple[dict[str, Any], str, bytes]] = (),
    prepare: Callable[[c2pa.Builder], None] = lambda _: None,
) -> bytes:
    """The library's own signing, without any of Byline's rules."""
    out = io.BytesIO()
    builder = c2pa.Builder({**(manifest or claim()), "format": mime}, c2pa.Context.from_dict(_SETTINGS))
    for entry, kind, content in ingredients:
        builder.add_ingredient(entry, kind, io.BytesIO(content))
    prepare(builder)
    builder.sign(leaf.signer(), mime, io.BytesIO(data), out)
    return out.getvalue()


def flip(data: bytes, near: bytes, *, after: int = 0) -> bytes:
    """One bit changed at `after` bytes behind the first place where `near` stands."""
    changed = bytearray(data)
    changed[data.index(near) + after] ^= 1
    return bytes(changed)


def odd_files(root: Authority, stranger: Authority) -> Iterator[tuple[str, str, bytes]]:
    """(what is odd, MIME type, file): claims, assertions, chains, updates, damage."""
    leaf = root.leaf()
    files = formats()
    jpeg, mp4 = files["image/jpeg"], files["video/mp4"]
    for algorithm in _KEYS:
        yield f"signed with {algorithm}", "image/jpeg", sign(root.leaf(algorithm), "image/jpeg", jpeg)
    broken_leaves = {
        "an unknown root": stranger.leaf(),
        "an expired certificate": root.leaf(days=(-20, -1)),
        "a certificate from tomorrow": root.leaf(days=(1, 9)),
        "a certificate for servers": root.leaf(usages=(Eku.SERVER_AUTH,)),
        "a certificate for anything": root.leaf(usages=(Eku.ANY_EXTENDED_KEY_USAGE,)),
        "a certificate without a purpose": root.leaf(usages=()),
        "an authority as signer": root.leaf(authority=True),
    }
    for name, bad in broken_leaves.items():
        try:
            yield name, "image/jpeg", sign(bad, "image/jpeg", jpeg)
        except c2pa.C2paError:  # the library refuses to sign with some
            continue

    text = json.dumps({"deep": [[[[["x" * 5000]]]]]})
    oddities: dict[str, dict[str, Any]] = {
        "an assertion of nobody's": claim({"label": "org.example.odd", "data": {"a": [1, None, "ü", {}]}}),
        "the same label three times": claim(
            *[{"label": "org.example.odd", "data": {"n": n}} for n in range(3)]
        ),
        "a large assertion": claim({"label": "org.example.large", "data": {"text": text * 20}}),
        "a JSON assertion": claim({"label": "org.example.json", "data": {"a": 1}, "kind": "Json"}),
        "an unknown action": claim(actions=[CREATED, {"action": "org.example.colourised"}]),
        "no beginning": claim(actions=[{"action": "c2pa.edited"}]),
        "two beginnings": claim(actions=[CREATED, CREATED]),
        "opened without a parent": claim(actions=[{"action": "c2pa.opened"}]),
        "no actions": {"claim_generator_info": [{"name": "t", "version": "1"}], "title": "x"},
        "claim version 1": claim(claim_version=1),
        "claim version 1, actions version 1": {
            **claim(claim_version=1),
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [CREATED]}}],
        },
        "an identity of nobody": claim({"label": "cawg.identity", "data": {"signer_payload": {}}}),
        "an identity that nobody confirms": claim({"label": "cawg.identity", "data": _IDENTITY}),
        "a wrong hash of its own": claim(
            {"label": "c2pa.hash.data", "data": {"alg": "sha256", "hash": [0] * 32, "name": "x"}}
        ),
    }
    for name, manifest in oddities.items():
        for mime, data in (("image/jpeg", jpeg), ("video/mp4", mp4)):
            try:
                yield name, mime, sign(leaf, mime, data, manifest)
            except c2pa.C2paError:
                continue

    def remote(builder: c2pa.Builder) -> None:
        builder.set_no_embed()
        builder.set_remote_url("https://manifests.invalid/x.c2pa")

    def both(builder: c2pa.Builder) -> None:
        builder.set_remote_url("https://manifests.invalid/x.c2pa")

    yield "a manifest elsewhere", "image/jpeg", sign(leaf, "image/jpeg", jpeg, prepare=remote)
    yield "a manifest elsewhere, video", "video/mp4", sign(leaf, "video/mp4", mp4, prepare=remote)
    yield "a manifest here and elsewhere", "image/jpeg", sign(leaf, "image/jpeg", jpeg, prepare=both)

    def opened(parent: bytes, by: Leaf, **more: Any) -> bytes:
        action = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["p"]}}
        entry = {"title": "parent", "relationship": "parentOf", "label": "p"}
        manifest = claim(actions=[action], **more)
        return sign(by, "image/jpeg", parent, manifest, ingredients=[(entry, "image/jpeg", parent)])

    one = sign(leaf, "image/jpeg", jpeg, claim({"label": "org.example.secret", "data": {"who": "Q7X"}}))
    chain = one
    for _ in range(3):
        chain = opened(chain, leaf)
    yield "three generations", "image/jpeg", chain
    yield "a stranger's parent", "image/jpeg", opened(sign(stranger.leaf(), "image/jpeg", jpeg), leaf)
    yield "our parent in a stranger's file", "image/jpeg", opened(one, stranger.leaf())
    yield "a broken parent", "image/jpeg", opened(flip(one, b"Q7X"), leaf)
    label = json.loads(c2pa.Reader("image/jpeg", io.BytesIO(one)).json())["active_manifest"]
    uri = f"self#jumbf=/c2pa/{label}/c2pa.assertions/org.example.secret"
    yield "a redaction", "image/jpeg", opened(one, leaf, redactions=[uri])

    def update(builder: c2pa.Builder) -> None:
        builder.set_intent(c2pa.C2paBuilderIntent.UPDATE)

    note = {"label": "org.example.note", "data": {"a": 1}}
    blank = {"claim_generator_info": [{"name": "t", "version": "1"}], "assertions": [note]}
    for mime, data in (("image/jpeg", one), ("video/mp4", sign(leaf, "video/mp4", mp4))):
        updated = sign(leaf, mime, data, blank, prepare=update)
        yield "an update", mime, updated
        yield "an update of an update", mime, sign(leaf, mime, updated, blank, prepare=update)
        yield "an update by a stranger", mime, sign(stranger.leaf(), mime, data, blank, prepare=update)

    yield "a changed assertion", "image/jpeg", flip(one, b"Q7X")
    yield "a changed title", "image/jpeg", flip(one, b"dc:title", after=9)
    yield "changed content", "image/jpeg", flip(one, b"\xff\xda", after=40)
    yield "cut short", "image/jpeg", one[: len(one) - 60]
    for mime, data in files.items():
        signed = sign(leaf, mime, data)
        yield "signed", mime, signed
        yield "signed by a stranger", mime, sign(stranger.leaf(), mime, data)
        yield (
            "with a changed claim",
            mime,
            flip(signed, b"somebody's camera") if b"somebody's" in signed else signed,
        )
        yield "unsigned", mime, data
