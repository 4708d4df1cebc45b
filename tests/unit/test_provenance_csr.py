"""The way to a certificate of one's own: the request, the check of the answer, the command around both."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import provenance_kit as kit
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from byline.audit.base import keyring
from byline.platform import cli, keys, rotation
from byline.provenance import certs, csr, reading, signers, signing
from byline.provenance.trust import TrustBundle

EMAIL, CLAIMS = ExtendedKeyUsageOID.EMAIL_PROTECTION, certs.CLAIM_SIGNING
DAY = dt.timedelta(days=1)


class Authority:
    """An outside authority in small: a root, an intermediate, and leaves with any fault one likes."""

    def __init__(self) -> None:
        self.root = self._issue("Public root", None, authority=True)
        self.middle = self._issue("Public issuer", self.root, authority=True)

    def _issue(
        self,
        name: str,
        issuer: certs.Issued | None,
        *,
        public: ec.EllipticCurvePublicKey | None = None,
        authority: bool = False,
        **change: Any,
    ) -> certs.Issued:
        key = ec.generate_private_key(change.get("curve") or ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if change.get("organization", True):
            names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, "City Desk"))
        subject = x509.Name(names)
        signer = issuer.key if issuer else key
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(public or key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + change.get("start", -DAY))
            .not_valid_after(now + change.get("end", 90 * DAY))
            .add_extension(
                x509.BasicConstraints(ca=authority or change.get("ca", False), path_length=None), True
            )
        )
        if change.get("usage", True):
            builder = builder.add_extension(certs.usage(certificates=authority), True)
        if not authority and change.get("extended", (EMAIL, CLAIMS)):
            builder = builder.add_extension(
                x509.ExtendedKeyUsage(change.get("extended", (EMAIL, CLAIMS))), True
            )
        if issuer and change.get("aki", True):
            key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            builder = builder.add_extension(key_id, False)
        return certs.Issued(builder.sign(signer, hashes.SHA256()), key)

    def answer(self, public: ec.EllipticCurvePublicKey | None, **change: Any) -> bytes:
        leaf = self._issue("City Desk signing", change.pop("issuer", self.middle), public=public, **change)
        return leaf.pem + self.middle.pem


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with kit.home(tmp_path / "home"):
        yield tmp_path / "home"


def _public() -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


# ------------------------------------------------------------------ the request


def test_the_request_asks_for_the_c2pa_profile(home: Path, tmp_path: Path) -> None:
    pem = rotation.request(organization="City Desk Ltd", common_name="City Desk", country="DE")
    made = x509.load_pem_x509_csr(pem)
    assert made.is_signature_valid
    assert made.subject.rfc4514_string() == "CN=City Desk,O=City Desk Ltd,C=DE"
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    extended = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert set(extended.value) == {EMAIL, CLAIMS}
    assert isinstance(made.public_key(), ec.EllipticCurvePublicKey)
    assert made.public_key() != signers.load().public_key(), "a new key, which waits for its certificate"
    assert rotation.request(organization="City Desk Ltd", common_name="x") != pem
    again = x509.load_pem_x509_csr(rotation.request(organization="City Desk Ltd", common_name="x"))
    assert again.public_key() == made.public_key(), "a second request is for the same waiting key"
    if shutil.which("openssl"):
        (tmp_path / "a.csr").write_bytes(pem)
        command = ["openssl", "req", "-in", tmp_path / "a.csr", "-verify", "-noout"]
        subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize(
    "names", [{"organization": ""}, {"organization": "x" * 65}, {"organization": "A", "country": "DEU"}]
)
def test_names_that_no_certificate_holds_are_refused(home: Path, names: dict[str, str]) -> None:
    with pytest.raises(csr.BadRequest):
        rotation.request(common_name="x", **names)


# ------------------------------------------------------------------ the answer


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"curve": ec.SECP384R1()}, "leaf.key"),
        ({"organization": False}, "leaf.organization"),
        ({"usage": False}, "leaf.key-usage"),
        ({"extended": (CLAIMS,)}, "leaf.extended-key-usage"),
        ({"extended": ()}, "leaf.extended-key-usage"),
        ({"extended": (EMAIL, ExtendedKeyUsageOID.TIME_STAMPING)}, "leaf.extended-key-usage"),
        ({"extended": (EMAIL, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)}, "leaf.extended-key-usage"),
        ({"aki": False}, "leaf.authority-key-identifier"),
        ({"ca": True}, "leaf.authority"),
        ({"start": DAY}, "leaf.not-yet-valid"),
        ({"end": -dt.timedelta(hours=1)}, "leaf.expired"),
        ({"issuer": None}, "leaf.self-signed"),
    ],
)
def test_each_fault_of_a_chain_has_a_name(authority: Authority, change: dict[str, Any], name: str) -> None:
    public = None if "curve" in change else _public()
    with pytest.raises(csr.BadChain) as caught:
        csr.check_chain(authority.answer(public, **change), authority.root.pem, public or _public())
    assert name in [found for found, _ in caught.value.problems]


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda pem, a: b"hello", "chain.unreadable"),
        (lambda pem, a: a.middle.pem + pem, "chain.order"),
        (lambda pem, a: pem[: pem.index(b"-----END") + 26], "chain.root"),
        (lambda pem, a: pem + Authority().root.pem, "chain.root"),
    ],
)
def test_a_chain_out_of_order_is_named(
    authority: Authority, spoil: Callable[[bytes, Authority], bytes], name: str
) -> None:
    public = _public()
    with pytest.raises(csr.BadChain) as caught:
        csr.check_chain(spoil(authority.answer(public), authority), authority.root.pem, public)
    assert name in [found for found, _ in caught.value.problems]


def test_another_key_than_ours_is_named(authority: Authority) -> None:
    with pytest.raises(csr.BadChain, match=r"leaf\.key-mismatch"):
        csr.check_chain(authority.answer(_public()), authority.root.pem, _public())


def test_a_good_chain_passes_with_or_without_its_root(authority: Authority) -> None:
    public = _public()
    pem = authority.answer(public)
    chain = csr.check_chain(pem + authority.root.pem, certs.root("development x").pem, public)
    assert (len(chain.certificates), chain.root, chain.notes) == (2, authority.root.certificate, ())
    assert csr.check_chain(pem, authority.root.pem, public).pem == pem
    without = csr.check_chain(authority.answer(public, extended=(EMAIL,)), authority.root.pem, public)
    assert "claimSigning" in without.notes[0]


# ------------------------------------------------------------------ the command


def _wav(directory: Path) -> reading.ManifestReading:
    target = directory / "out.wav"
    signing.sign_file(kit.write_wav(directory / "in.wav"), target, rotation._TRIAL)
    return reading.read(target, TrustBundle.from_installation())


def test_from_request_to_a_signed_file(
    home: Path, authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = TrustBundle.from_installation()
    old = _wav(tmp_path)
    kept = (tmp_path / "out.wav").rename(tmp_path / "old.wav")
    assert cli.main(["keys", "csr", "--organization", "City Desk", "--out", str(tmp_path / "a.csr")]) == 0
    public = x509.load_pem_x509_csr((tmp_path / "a.csr").read_bytes()).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    (tmp_path / "chain.pem").write_bytes(authority.answer(public))
    (tmp_path / "root.pem").write_bytes(authority.root.pem)
    (tmp_path / "bad.pem").write_bytes(authority.answer(public, end=-dt.timedelta(hours=1)))
    bad = ["keys", "install", str(tmp_path / "bad.pem"), "--root", str(tmp_path / "root.pem")]
    assert cli.main(bad) == 64
    assert "leaf.expired" in capsys.readouterr().err
    assert _wav(tmp_path).signer == old.signer, "a chain that fails changes nothing"
    assert (
        cli.main(["keys", "install", str(tmp_path / "chain.pem"), "--root", str(tmp_path / "root.pem")]) == 0
    )
    new = _wav(tmp_path)
    assert (new.state, new.signer_known) == ("Trusted", True)
    assert "City Desk signing" in new.signer
    again = reading.read(kept, TrustBundle.from_installation())
    assert (again.state, again.signer_known) == ("Trusted", True), "files of the old root still verify"
    assert reading.read(tmp_path / "out.wav", before).signer_known is False
    assert not keyring.path("c2pa_next").exists()
    assert not keyring.path("c2pa_ca").exists(), "the old root issues nothing any more"
    assert keys.missing() == []
    assert "c2pa_chain" not in keys.for_development()
    capsys.readouterr()
    assert cli.main(["keys", "show"]) == 0
    shown = capsys.readouterr().out
    assert "outside authority" in shown
    assert "fits the certificate" in shown
    with pytest.raises(rotation.RotationRefused, match="outside authority"):
        rotation.rotate("signing")


def test_show_says_what_a_development_root_is_worth(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "show"]) == 0
    shown = capsys.readouterr().out
    assert "development root, on nobody's trust list" in shown
    stranger = certs.leaf(certs.root("development other"), "other", [EMAIL, CLAIMS], days=1)
    keyring.path("c2pa_leaf").write_bytes(stranger.key_pem)
    assert cli.main(["keys", "show"]) == 70
    assert "not the key in its certificate" in capsys.readouterr().out
    assert "PRIVATE" not in shown
    assert serialization.load_pem_private_key(stranger.key_pem, None)


def test_a_file_that_is_not_there_is_a_usage_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "install", str(home / "nothing.pem")]) == 64
    assert "cannot be read" in capsys.readouterr().err
