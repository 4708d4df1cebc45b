"""Changes the keys of a running installation, so that what the old ones made still verifies.

Promises: a new key replaces the old one at once and an interruption leaves the old one in use. What
an old watermark or id key marked is still found (`keyring.read_all`), what an old root vouched for
still verifies (trust.py). A replaced private signing key is removed: it can sign nothing any more.
A chain of an outside authority is installed only after it was checked against the C2PA profile and
has signed and verified a sound of half a second. Workers read keys per job, so nothing is restarted.
Left out: the log's key, because a new one is a new log (docs/operator.md), and that of encrypted data.
"""

import datetime as dt
import fcntl
import secrets
import shutil
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from byline.audit.base import conf, keyring
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.platform import keys
from byline.provenance import certs, csr, reading, revocation, signers, signing
from byline.provenance.trust import TrustBundle

KINDS = ("signing", "watermark", "id")
MAX_ACTIVE = 16  # each further mark key costs search time and raises the threshold (marks/threshold.py)
REASONS = {flag.value: flag for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.remove_from_crl}


class RotationRefused(InvalidInput):
    """The change would lose something, or cannot be made here. Nothing was changed."""

    code = "rotation_refused"
    status = 409


@dataclass(frozen=True)
class Shown:
    """What `byline keys show` says: (name, text) lines, and whether signing would work now."""

    lines: tuple[tuple[str, str], ...]
    ready: bool


def rotate(kind: str) -> str:
    """A new key of one kind in place of the old; says in words what holds now. RotationRefused otherwise."""
    with _locked():
        if kind == "signing":
            return _new_leaf()
        active = keyring.read_all(kind)
        if len(active) >= MAX_ACTIVE:
            raise RotationRefused(
                f"{MAX_ACTIVE} {kind} keys are active",
                help="Move the oldest out of the key directory; what it marked is then no longer found.",
            )
        keyring.replace(kind, secrets.token_bytes(32), keep=True)
        return f"new {kind} key; {len(active)} older still recognised"


def _new_leaf() -> str:
    if not signers.uses_key_ring():
        raise RotationRefused(
            "the signing key is not in the key ring",
            help="Make a new key on the token, then `byline keys csr` and `byline keys install CHAIN`.",
        )
    if not keyring.path("c2pa_ca").exists():
        raise RotationRefused(
            "the signing root's private key is not here: an outside authority issues the certificates",
            help="Ask it for a certificate: `byline keys csr`, then `byline keys install CHAIN`.",
        )
    fresh = certs.development_leaf(certs.stored_root())
    _take_up(fresh.pem, fresh.key_pem)
    return "new signing key and certificate under the same development root; older files verify as before"


def _take_up(chain: bytes, key: bytes | None) -> None:
    if key is not None:
        keyring.replace("c2pa_leaf", key, keep=False)
    keyring.replace("c2pa_chain", chain, keep=True)


def request(*, organization: str, common_name: str, country: str = "") -> bytes:
    """PEM of a certificate request for the signer's key; for a key ring, for a new key that waits in it."""
    with _locked():
        if not signers.uses_key_ring():
            signer = signers.load()
            return csr.request(
                signer.sign,
                signer.public_key(),
                organization=organization,
                common_name=common_name,
                country=country,
            )
        with suppress(FileExistsError):
            keyring.write("c2pa_next", _pem(ec.generate_private_key(ec.SECP256R1())))
        key = _private("c2pa_next")
        return csr.request(
            lambda data: signers.raw(key.sign(data, ec.ECDSA(hashes.SHA256()))),
            key.public_key(),
            organization=organization,
            common_name=common_name,
            country=country,
        )


def install(pem: bytes, root: bytes | None = None) -> csr.Chain:
    """Sign with the chain in `pem` (leaf first) from now on. `root` is its root, if it is a new one.

    BadChain names every fault; RotationRefused or SigningFailed when a trial signature fails.
    """
    with _locked():
        public, waiting = _signers_key(pem)
        chain = csr.check_chain(pem, root or keyring.read("c2pa_ca_cert"), public)
        changes = {"c2pa_chain": chain.pem}
        if waiting is not None:
            changes["c2pa_leaf"] = waiting
        if chain.root_pem.split() != keyring.read("c2pa_ca_cert").split():
            changes["c2pa_ca_cert"] = chain.root_pem
        issuers = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain.certificates[1:])
        if issuers:
            changes["c2pa_issuers"] = issuers
        _try(changes)
        if "c2pa_ca_cert" in changes:
            keyring.replace("c2pa_ca_cert", changes["c2pa_ca_cert"], keep=True)
            with suppress(FileNotFoundError):
                old = keyring.path("c2pa_ca")
                old.rename(keyring.replaced(old))  # it issues nothing any more, and is not destroyed either
        if issuers:
            keyring.replace("c2pa_issuers", issuers, keep=True)
        _take_up(chain.pem, waiting)
        keyring.path("c2pa_next").unlink(missing_ok=True)
        return chain


def trust_stamps(root: bytes) -> str:
    """Believe time stamps under one more root (PEM); older stamps stay believed."""
    try:
        certificate = x509.load_pem_x509_certificate(root)
    except ValueError as error:
        raise RotationRefused("this is no certificate in PEM") from error
    with _locked():
        keyring.replace("tsa_ca_cert", certificate.public_bytes(serialization.Encoding.PEM), keep=True)
    return f"time stamps under {certificate.subject.rfc4514_string()} are believed"


def revoke(why: str) -> str:
    """Revoke the leaf in use under our development root, from this moment, and put a new one in its place."""
    if why not in REASONS:
        raise RotationRefused(f"no such reason; there are {', '.join(sorted(REASONS))}")
    with _locked():
        issuer = certs.stored_root()
        leaf = x509.load_pem_x509_certificates(keyring.read("c2pa_chain"))[0]
        before = keyring.read("c2pa_crls") if keyring.path("c2pa_crls").exists() else b""
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        made = certs.revocation_list(issuer, before, leaf.serial_number, REASONS[why], now)
        keyring.replace("c2pa_crls", made, keep=False)
        if signers.uses_key_ring():
            _new_leaf()
    return (
        f"certificate {leaf.serial_number:x} is revoked since {now:%Y-%m-%d %H:%M:%S} UTC. "
        "Export the trust bundle again: only those who have it will know"
    )


def add_revocations(crl: bytes) -> str:
    """Heed an outside authority's revocation list (PEM) in place of its older one, if it is signed."""
    with _locked():
        trust = TrustBundle.from_installation()
        try:
            fresh = revocation.load(crl.decode(), trust.crl_issuers, trust.c2pa_roots)
            old = revocation.load(trust.crls, trust.crl_issuers, trust.c2pa_roots)
        except (revocation.BadRevocationList, UnicodeDecodeError) as error:
            raise RotationRefused(f"the revocation list cannot be used: {error}") from error
        if not fresh:
            raise RotationRefused("the file holds no revocation list in PEM")
        for one in fresh:
            if any(o.issuer == one.issuer and o.last_update_utc > one.last_update_utc for o in old):
                raise RotationRefused("a newer list of this issuer is installed already")
        issuers = {one.issuer for one in fresh}
        lists = [*fresh, *(one for one in old if one.issuer not in issuers)]
        pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in lists)
        keyring.replace("c2pa_crls", pem, keep=False)
    return f"{sum(len(one) for one in lists)} revoked certificate(s) on {len(lists)} list(s)"


def show() -> Shown:
    """What signs here, and how far anybody believes it, in plain words."""
    chain = x509.load_pem_x509_certificates(keyring.read("c2pa_chain"))
    root = x509.load_pem_x509_certificate(keyring.read("c2pa_ca_cert"))
    kind = conf.get("C2PA_SIGNER")["CLASS"].rpartition(".")[2]
    lines = [
        ("signer", f"{kind}, {chain[0].subject.rfc4514_string()}"),
        ("valid", f"{chain[0].not_valid_before_utc:%Y-%m-%d} to {chain[0].not_valid_after_utc:%Y-%m-%d}"),
        ("root", f"{root.subject.rfc4514_string()}, SHA-256 {root.fingerprint(hashes.SHA256()).hex()}"),
        ("trust", _standing()),
        ("stamps", conf.get("C2PA_TSA_URL") or "own local authority: no independent witness"),
        ("watermark keys", str(len(keyring.read_all("watermark")))),
        ("id keys", str(len(keyring.read_all("id")))),
        ("older roots", str(len(keyring.read_all("c2pa_ca_cert")) - 1)),
        ("revoked", str(_revoked())),
    ]
    try:
        signers.callback(signers.load(), [])
        problem = ""
    except ConfigurationError as error:
        problem = f"{error} [{error.code}] {error.help}"
    lines.append(("key", problem or "fits the certificate"))
    return Shown(tuple(lines), not problem)


def _standing() -> str:
    if "c2pa_ca_cert" in keys.for_development() or "c2pa_chain" in keys.for_development():
        return "development root, on nobody's trust list: only those who were given it can verify the signer"
    return (
        "root of an outside authority: believed by those whose trust list has it, which no file here can say"
    )


def _revoked() -> int:
    trust = TrustBundle.from_installation()
    return sum(len(one) for one in revocation.load(trust.crls, trust.crl_issuers, trust.c2pa_roots))


def _signers_key(pem: bytes) -> tuple[ec.EllipticCurvePublicKey, bytes | None]:
    """The key that the chain must certify, and the waiting private key if it is that one."""
    if not signers.uses_key_ring():
        return signers.load().public_key(), None
    if keyring.path("c2pa_next").exists():
        waiting = _private("c2pa_next")
        try:
            wanted = x509.load_pem_x509_certificates(pem)[0].public_key()
        except ValueError:
            wanted = None
        if not keyring.path("c2pa_leaf").exists() or wanted != _private("c2pa_leaf").public_key():
            return waiting.public_key(), _pem(waiting)
    return _private("c2pa_leaf").public_key(), None


def _try(changes: dict[str, bytes]) -> None:
    """Sign and read back a short silence in a copy of the key ring with the changes made."""
    with tempfile.TemporaryDirectory(prefix=".trial-", dir=conf.home()) as name:
        scratch = Path(name)
        shutil.copytree(keyring.directory(), scratch / "keys")
        source, target = scratch / "in.wav", scratch / "out.wav"
        with wave.open(str(source), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16_000)
            sound.writeframes(bytes(16_000))
        with keys.as_home(scratch):
            for purpose, data in changes.items():
                keyring.replace(purpose, data, keep=False)
            signing.sign_file(source, target, _TRIAL)
            held = reading.read(target, TrustBundle.from_installation())
    if held.state != "Trusted" or not held.signer_known or held.revoked:
        raise RotationRefused(
            f"a trial signature does not verify: {', '.join(held.failures) or held.revoked or held.state}",
            help="Nothing was changed. Ask the authority for a chain that fits the C2PA profile.",
        )


_TRIAL = {
    "claim_generator_info": [{"name": "Byline", "version": "trial", "specVersion": "2.4.0"}],
    "title": "Trial of a certificate chain",
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "created": True,
            "data": {
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation",
                    }
                ],
                "allActionsIncluded": True,
            },
        }
    ],
}


def _private(purpose: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(keyring.read(purpose), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"the key {purpose!r} is no elliptic-curve key")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@contextmanager
def _locked() -> Iterator[None]:
    """One change at a time, the first making of keys included."""
    if not keyring.directory().is_dir():
        raise keyring.KeyUnavailable(f"there are no keys in {keyring.directory()}")
    with open(conf.home() / "keys.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
