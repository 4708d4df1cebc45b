"""Strangers who sign our clip as if they were us, and files that want the reader to call somebody.

Beside test_provenance_files.py, which has the plain cases: here the stranger copies every name, brings
our root along, or certifies himself; and addresses stand in certificates and in every format.
"""

from __future__ import annotations

import http.server
import io
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import provenance_kit as kit
import pytest
import rubrics_kit
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from byline.audit.base import keyring
from byline.provenance import certs, formats, manifest, reading, signers, signing, timestamps, verifier
from byline.provenance.trust import TrustBundle

USAGES = [ExtendedKeyUsageOID.EMAIL_PROTECTION, certs.CLAIM_SIGNING]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    directory = tmp_path_factory.mktemp("resigned")
    source = kit.write_mp4(directory / "a.mp4", kit.pictures(1))
    built = manifest.build(rubrics_kit.facts(source))
    signing.sign_file(source, directory / "ours.mp4", built)
    return SimpleNamespace(
        source=source,
        built=built,
        ours=directory / "ours.mp4",
        trust=TrustBundle.from_installation(),
        chain=keyring.read("c2pa_chain"),
        root=keyring.read("c2pa_ca_cert"),
        tsa={purpose: keyring.read(purpose) for purpose in ("tsa", "tsa_cert", "tsa_ca_cert")},
    )


def _twin(pem: bytes, issuer: certs.Issued | None, *, extra: list[x509.ExtensionType] = []) -> certs.Issued:  # noqa: B006
    """A certificate with every name, serial and extension of `pem`, but a stranger's key."""
    model = x509.load_pem_x509_certificate(pem)
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(model.subject)
        .issuer_name(model.issuer)
        .public_key(key.public_key())
        .serial_number(model.serial_number)
        .not_valid_before(model.not_valid_before_utc)
        .not_valid_after(model.not_valid_after_utc)
    )
    for extension in model.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    for value in extra:
        builder = builder.add_extension(value, critical=False)
    return certs.Issued(builder.sign(signer, hashes.SHA256()), key)


def _impostor(stage: SimpleNamespace, chain: str) -> dict[str, bytes]:
    root = _twin(stage.root, None)
    leaf = _twin(stage.chain, root)
    chains = {
        "same names": leaf.pem,
        "own root along": leaf.pem + root.pem,
        "our root along": leaf.pem + stage.root,
        "our chain behind": leaf.pem + stage.chain,
    }
    return {"c2pa_ca_cert": root.pem, "c2pa_chain": chains[chain], "c2pa_leaf": leaf.key_pem}


@pytest.mark.parametrize("chain", ["same names", "own root along", "our root along", "our chain behind"])
def test_a_stranger_with_our_names_is_not_us(stage: SimpleNamespace, tmp_path: Path, chain: str) -> None:
    """He copies subject, issuer, serial and key identifiers, our stamper, and our manifest word by word."""
    target = tmp_path / "theirs.mp4"
    with kit.home(tmp_path / "home"):
        for purpose, data in {**_impostor(stage, chain), **stage.tsa}.items():
            keyring.path(purpose).write_bytes(data)
        try:
            signing.sign_file(stage.source, target, stage.built)
        except signing.SigningFailed:
            _sign_without_reading_back(stage.source, target, stage.built)
    ours = reading.read(stage.ours, stage.trust)
    held = reading.read(target, stage.trust)
    assert held.signer == ours.signer, "the names say nothing"
    assert (ours.signer_known, held.signer_known) == (True, False)
    assert held.state != "Trusted"
    assert verifier.verify(target, trust=stage.trust, records=None).exit_code in (10, 11)


def _sign_without_reading_back(source: Path, target: Path, built: dict[str, Any]) -> None:
    """What an impostor's own tool would do: the library, without our checks afterwards."""
    import c2pa

    settings = {"verify": {"verify_after_sign": False, "verify_trust": False}}
    signer = signers.load()
    with timestamps.authority() as stamper, source.open("rb") as media, target.open("w+b") as output:
        native = c2pa.Signer.from_callback(
            signers.callback(signer, []), c2pa.C2paSigningAlg.ES256, signer.chain_pem, stamper
        )
        builder = c2pa.Builder({**built, "format": "video/mp4"}, c2pa.Context.from_dict(settings))
        builder.sign(native, "video/mp4", media, output)


def test_our_leaf_cannot_certify_another(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Whoever holds a leaf's key must not become an authority below our root."""
    authority = certs.Issued(
        x509.load_pem_x509_certificate(stage.chain),
        serialization.load_pem_private_key(keyring.read("c2pa_leaf"), None),  # type: ignore[arg-type]
    )
    child = certs.leaf(authority, "Byline development signer", USAGES, days=1)
    target = tmp_path / "theirs.mp4"
    with kit.home(tmp_path / "home"):
        files = {"c2pa_chain": child.pem + stage.chain, "c2pa_leaf": child.key_pem, **stage.tsa}
        for purpose, data in files.items():
            keyring.path(purpose).write_bytes(data)
        _sign_without_reading_back(stage.source, target, stage.built)
    assert not reading.read(target, stage.trust).signer_known


# ------------------------------------------------------------------ nobody is called


@pytest.fixture
def trap() -> Iterator[SimpleNamespace]:
    """A server that notes every connection."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(asked=asked, url=f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("kind", ["mp4", "wav", "png", "jpg"])
def test_an_address_in_the_file_is_not_called(trap: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    import c2pa

    make = {"mp4": lambda path: kit.write_mp4(path, kit.pictures(2)), "wav": kit.write_wav}
    source = make.get(kind, kit.write_image)(tmp_path / f"a.{kind}")
    found = formats.sniff(source)
    assert found is not None
    signer, target = signers.load(), tmp_path / f"b.{kind}"
    settings = reading.context_settings(TrustBundle.from_installation())
    settings["core"]["allowed_network_hosts"] = ["127.0.0.1"]
    with timestamps.authority() as stamper, source.open("rb") as media, target.open("w+b") as output:
        built = {**manifest.build(rubrics_kit.facts(source)), "format": found.mime, "ingredients": []}
        built["assertions"] = built["assertions"][:1]
        built["assertions"][0]["data"]["actions"] = built["assertions"][0]["data"]["actions"][:1]
        built["assertions"][0]["data"]["actions"][0].pop("parameters", None)
        builder = c2pa.Builder(built, c2pa.Context.from_dict(settings))
        builder.set_remote_url(f"{trap.url}/manifest.c2pa")
        builder.set_no_embed()
        native = c2pa.Signer.from_callback(
            signers.callback(signer, []), c2pa.C2paSigningAlg.ES256, signer.chain_pem, stamper
        )
        builder.sign(native, found.mime, media, output)
    assert trap.url.encode() in target.read_bytes()
    assert reading.read(target, TrustBundle.from_installation()).presence == "remote"
    assert verifier.verify(target, trust=TrustBundle.from_installation(), records=None).exit_code in (13, 14)
    assert trap.asked == []
    # The trap works: without our settings the library would call.
    calling = c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": True}})
    with target.open("rb") as media, pytest.raises(c2pa.C2paError):
        c2pa.Reader(found.mime, media, context=calling)
    assert trap.asked


def test_addresses_in_a_certificate_are_not_called(
    stage: SimpleNamespace, trap: SimpleNamespace, tmp_path: Path
) -> None:
    """OCSP and revocation lists would tell an authority of the signer's choice who verifies what."""
    import c2pa

    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(oid, x509.UniformResourceIdentifier(f"{trap.url}/{name}"))
            for oid, name in (
                (AuthorityInformationAccessOID.OCSP, "ocsp"),
                (AuthorityInformationAccessOID.CA_ISSUERS, "issuer"),
            )
        ]
    )
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{trap.url}/crl")], None, None, None)
    target = tmp_path / "theirs.mp4"
    with kit.home(tmp_path / "home"):
        root = certs.stored_root()
        leaf = _twin(keyring.read("c2pa_chain"), root, extra=[access, x509.CRLDistributionPoints([point])])
        keyring.path("c2pa_chain").write_bytes(leaf.pem)
        keyring.path("c2pa_leaf").write_bytes(leaf.key_pem)
        signing.sign_file(stage.source, target, stage.built)
        trust = TrustBundle.from_installation()
    assert reading.read(target, trust).state == "Trusted"
    assert verifier.verify(target, trust=trust, records=None).verdict
    assert trap.asked == []
    settings = reading.context_settings(trust)
    settings["verify"]["ocsp_fetch"] = True
    del settings["core"]["allowed_network_hosts"]
    c2pa.Reader("video/mp4", io.BytesIO(target.read_bytes()), context=c2pa.Context.from_dict(settings))
    assert trap.asked, "the trap works: without our settings the library would call"


def test_a_child_without_a_network_reads_the_same(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Every Python socket is forbidden in the child; what it says must not differ."""
    stage.trust.export(tmp_path / "trust.json")
    picture = kit.write_image(tmp_path / "a.png")
    signed = tmp_path / "b.png"
    signing.sign_file(picture, signed, manifest.build(rubrics_kit.facts(picture)))
    code = (
        "import django, json, socket, sys; django.setup()\n"
        "def refuse(*a, **k): raise AssertionError('a socket was opened')\n"
        "socket.socket = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from pathlib import Path\n"
        "from byline.provenance import verifier\n"
        "from byline.provenance.trust import TrustBundle\n"
        "trust = TrustBundle.load(Path(sys.argv[2]))\n"
        "report = verifier.verify(Path(sys.argv[1]), trust=trust, records=None, offline=True)\n"
        "print(json.dumps([report.exit_code, report.summary]))\n"
    )
    here = verifier.verify(signed, trust=stage.trust, records=None, offline=True)
    command = [sys.executable, "-c", code, str(signed), str(tmp_path / "trust.json")]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [here.exit_code, here.summary]
    assert socket.socket is not None
