"""Where signatures come from: a key-ring file, a real PKCS#11 token, a command; one error per fault."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import provenance_kit as kit
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from byline.audit.base import keyring
from byline.audit.base.errors import ConfigurationError
from byline.provenance import certs, manifest, reading, signers, signing
from byline.provenance.signers import SignerUnavailable
from byline.provenance.trust import TrustBundle

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((path for path in MODULES if Path(path).exists()), "")
needs_token = pytest.mark.skipif(
    not (MODULE and shutil.which("softhsm2-util")),
    reason="SoftHSM is not installed here (Debian package softhsm2): no real PKCS#11 token to sign with",
)
USAGES = [ExtendedKeyUsageOID.EMAIL_PROTECTION, certs.CLAIM_SIGNING]
PIN = "4821"


def configure(settings: Any, cls: str, **config: Any) -> None:
    entry = {"CLASS": f"byline.provenance.signers.{cls}", "CONFIG": config}
    settings.BYLINE = {**settings.BYLINE, "C2PA_SIGNER": entry}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with kit.home(tmp_path / "home"):
        yield tmp_path / "home"


def certify(public: ec.EllipticCurvePublicKey) -> None:
    """This home's development root certifies a key that is not in the key ring."""
    root = certs.stored_root()
    keyring.path("c2pa_chain").write_bytes(certs.certify(root, "development token", public, USAGES, days=1))
    keyring.path("c2pa_leaf").unlink()


def sign(directory: Path) -> reading.ManifestReading:
    source, target = kit.write_mp4(directory / "in.mp4", kit.pictures(1)), directory / "out.mp4"
    facts = manifest.ManifestFacts(
        title="A clip",
        asset_id="a",
        software_version="test",
        proof=kit.proof_for(source),
        models=(manifest.ModelFact("byline-starter", "test", "moving pictures"),),
    )
    signing.sign_file(source, target, manifest.build(facts))
    return reading.read(target, TrustBundle.from_installation())


def refused(directory: Path, match: str) -> None:
    with pytest.raises(SignerUnavailable, match=match) as caught:
        sign(directory)
    assert PIN not in str(caught.value)
    assert [file.name for file in directory.iterdir() if file.name not in ("home", "in.mp4")] == []


# ------------------------------------------------------------------ a PKCS#11 token


@pytest.fixture
def token(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fresh SoftHSM token with one P-256 key pair that was made on it."""
    pkcs11 = pytest.importorskip("pkcs11", reason="the extra `hsm` is not installed")
    from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

    directory = tmp_path_factory.mktemp("token")
    (directory / "tokens").mkdir()
    (directory / "softhsm2.conf").write_text(
        f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n"
    )
    monkeypatch.setenv("SOFTHSM2_CONF", str(directory / "softhsm2.conf"))
    command = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        "newsroom",
        "--pin",
        PIN,
        "--so-pin",
        "87654321",
    ]
    subprocess.run(command, check=True, capture_output=True)
    library = pkcs11.lib(MODULE)
    library.reinitialize()  # an earlier test's token is another directory
    parameters = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    with library.get_token(token_label="newsroom").open(rw=True, user_pin=PIN) as session:
        domain = session.create_domain_parameters(pkcs11.KeyType.EC, parameters, local=True)
        public, _ = domain.generate_keypair(store=True, label="c2pa")
        encoded = encode_ec_public_key(public)
        domain.generate_keypair(store=True, label="other")
    pin_file = directory / "pin"
    pin_file.write_text(PIN + "\n")
    pin_file.chmod(0o600)
    yield SimpleNamespace(public=serialization.load_der_public_key(encoded), pin_file=pin_file)
    library.finalize()
    signers._modules.pop(MODULE, None)


def with_token(settings: Any, made: Any, **changes: Any) -> None:
    config = {"module": MODULE, "token": "newsroom", "key_label": "c2pa", "pin_file": str(made.pin_file)}
    configure(settings, "Pkcs11Signer", **{**config, **changes})


@needs_token
def test_a_token_signs_a_real_clip(home: Path, token: Any, settings: Any, tmp_path: Path) -> None:
    certify(token.public)
    with_token(settings, token)
    held = sign(tmp_path)
    assert (held.state, held.signer_known, held.stamped, held.failures) == ("Trusted", True, True, ())
    assert "development token" in held.signer
    assert not keyring.path("c2pa_leaf").exists()


def _sign_in_child(answers: Any) -> None:
    answers.put(signers.load().sign(b"x"))


@needs_token
def test_a_signer_is_made_after_the_fork(home: Path, token: Any, settings: Any) -> None:
    """A PKCS#11 module that was initialised before a fork may not be used after it."""
    certify(token.public)
    with_token(settings, token)
    signers.load().sign(b"x")
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=_sign_in_child, args=(answers,))
    child.start()
    signers.verify(token.public, answers.get(timeout=30), b"x")
    child.join(10)
    signers.verify(token.public, signers.load().sign(b"x"), b"x")


@needs_token
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"module": "/nowhere/lib.so"}, "cannot be loaded"),
        ({"token": "elsewhere"}, "no one token"),
        ({"key_label": "nothing"}, "no one key"),
        ({"key_label": "other"}, "not the key in its certificate"),
        ({"pin_file": "/nowhere/pin"}, "cannot be read"),
    ],
)
def test_each_fault_of_a_token_is_one_clear_error(
    home: Path, token: Any, settings: Any, tmp_path: Path, changes: dict[str, str], match: str
) -> None:
    certify(token.public)
    with_token(settings, token, **changes)
    refused(tmp_path, match)


@needs_token
def test_a_wrong_pin_is_refused_and_an_exposed_one_too(
    home: Path, token: Any, settings: Any, tmp_path: Path
) -> None:
    certify(token.public)
    with_token(settings, token)
    token.pin_file.write_text("9999")
    refused(tmp_path, "refuses the PIN")
    token.pin_file.chmod(0o644)
    refused(tmp_path, "readable by others")


@needs_token
def test_a_locked_token_says_that_it_is_locked(
    home: Path, token: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SoftHSM never locks; the error that real tokens give is raised in its place."""
    import pkcs11

    certify(token.public)
    with_token(settings, token)
    real = signers.load()

    class Locked:
        def get_token(self, **_: Any) -> Any:
            raise pkcs11.exceptions.PinLocked

    monkeypatch.setattr(pkcs11, "lib", lambda module: Locked())
    with pytest.raises(SignerUnavailable, match="locked"):
        real.sign(b"x")


# ------------------------------------------------------------------ a command


@pytest.fixture
def kms(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A client of a key service, as a script of its own that holds the key."""
    directory = tmp_path_factory.mktemp("kms")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "key.pem").write_bytes(key.private_bytes(*pem))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (directory / "public.pem").write_bytes(public)
    script = directory / "client.py"
    script.write_text(
        "import sys\n"
        "from cryptography.hazmat.primitives import hashes, serialization\n"
        "from cryptography.hazmat.primitives.asymmetric import ec, utils\n"
        f"key = serialization.load_pem_private_key(open({str(directory / 'key.pem')!r}, 'rb').read(), None)\n"
        "how = utils.Prehashed(hashes.SHA256()) if sys.argv[1] == 'digest' else hashes.SHA256()\n"
        "sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read(), ec.ECDSA(how)))\n"
    )
    return SimpleNamespace(key=key, script=script, public=directory / "public.pem")


@pytest.mark.parametrize("send", ["digest", "data"])
def test_a_command_signs_a_real_clip(home: Path, kms: Any, settings: Any, tmp_path: Path, send: str) -> None:
    certify(kms.key.public_key())
    argv = [sys.executable, str(kms.script), send]
    configure(settings, "CommandSigner", argv=argv, public_key_file=str(kms.public), send=send)
    held = sign(tmp_path)
    assert (held.state, held.failures) == ("Trusted", ())


@pytest.mark.parametrize(
    ("argv", "match"),
    [
        (["/nowhere/client"], "cannot be started"),
        (["false"], "failed with status 1"),
        (["sh", "-c", "sleep 30 & sleep 30"], "took over 0.3 s"),
        (["echo", "hello"], "no signature"),
        (["head", "-c", "100000", "/dev/zero"], "no signature"),
        (["head", "-c", "64", "/dev/zero"], "does not belong"),
    ],
)
def test_each_fault_of_a_command_is_one_clear_error(
    home: Path, kms: Any, settings: Any, tmp_path: Path, argv: list[str], match: str
) -> None:
    certify(kms.key.public_key())
    configure(settings, "CommandSigner", argv=argv, public_key_file=str(kms.public), timeout_s=0.3)
    refused(tmp_path, match)


# ------------------------------------------------------------------ the key ring, and the setting


def test_the_key_ring_signs_unless_configured_otherwise() -> None:
    assert signers.uses_key_ring()
    signer = signers.load()
    signers.verify(signers.leaf_key(signer.chain_pem), signer.sign(b"x"), b"x")
    with pytest.raises(SignerUnavailable):
        signers.verify(signers.leaf_key(signer.chain_pem), signer.sign(b"x"), b"y")


def test_a_key_of_another_curve_is_refused(home: Path, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    keyring.path("c2pa_leaf").write_bytes(key.private_bytes(*pem))
    refused(tmp_path, "not a P-256 key")


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({}, "takes CLASS and CONFIG"),
        ({"CLASS": "byline.nothing.Signer"}, "cannot import"),
        ({"CLASS": "byline.provenance.signers.Pkcs11Signer", "CONFIG": {"modul": "x"}}, "does not fit"),
        ({"CLASS": "byline.provenance.signers.KeyRingSigner", "PIN": "1"}, "takes CLASS and CONFIG"),
    ],
)
def test_a_setting_that_fits_nothing_names_itself(settings: Any, entry: dict[str, Any], match: str) -> None:
    settings.BYLINE = {**settings.BYLINE, "C2PA_SIGNER": entry}
    with pytest.raises(ConfigurationError, match=match):
        signers.load()


def test_raw_and_der_are_the_same_signature() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.sign(b"x", ec.ECDSA(hashes.SHA256()))
    signers.verify(key.public_key(), signers.raw(der), b"x")
    with pytest.raises(ValueError, match="pars"):
        signers.raw(b"\x30\x00")
