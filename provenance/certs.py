"""The development authorities: a C2PA signing CA with one leaf, and a time-stamp root with one stamp key.

Promises: `create_authorities` writes, once and through the keyring, everything that signing needs
and nothing else ever leaves memory. The leaf follows the C2PA certificate profile (C2PA 2.4
section 14.5.1: v3, ECDSA P-256, key usage digitalSignature alone, EKU emailProtection and
c2pa-kp-claimSigning, authority key identifier); the stamp certificate follows RFC 3161 section 2.3
(one critical EKU, timeStamping). The time-stamp root's key is thrown away after its one use.
Every subject contains "development": these roots are on nobody's trust list, so a file signed
here is verified only by those who were given the roots. Left out: intermediate authorities.
"""

import datetime as dt
import os
import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from byline.audit.base import keyring
from byline.audit.base.errors import ConfigurationError

CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # c2pa-kp-claimSigning, C2PA 2.4 section 14.5.1.1
SIGNING_PURPOSES = ("c2pa_ca_cert", "c2pa_ca", "c2pa_chain", "c2pa_leaf")
STAMPING_PURPOSES = ("tsa_ca_cert", "tsa_cert", "tsa")
_CA_DAYS = 3650
_LEAF_DAYS = 397  # short next to the root; stamps keep older files verifiable past it
_CRL_DAYS = 365
_BACKDATED = dt.timedelta(hours=1)  # a verifier's clock may be a little behind ours


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key, in memory."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def create_authorities(directory: os.PathLike[str] | str | None = None) -> list[str]:
    """Make both development authorities where they are missing; returns the purposes written.

    `directory` must be the keyring's own (or None): keys live nowhere else. A group of which only
    a part is there is never completed or replaced, because new roots would orphan every signed
    file: ConfigurationError.
    """
    if directory is not None and os.path.realpath(directory) != os.path.realpath(keyring.directory()):
        raise ConfigurationError("keys are made in the installation's key directory and nowhere else")
    written: list[str] = []
    for purposes, make in ((SIGNING_PURPOSES, _signing_authority), (STAMPING_PURPOSES, _stamping_authority)):
        present = [purpose for purpose in purposes if keyring.path(purpose).exists()]
        if len(present) == len(purposes):
            continue
        if present:
            missing = ", ".join(purpose for purpose in purposes if purpose not in present)
            raise ConfigurationError(
                f"only a part of an authority is in {keyring.directory()}: no {missing}",
                help="Restore the missing files from your backup; new roots would orphan every signed file.",
            )
        for purpose, data in make().items():
            keyring.write(purpose, data)
            written.append(purpose)
    return written


def root(common_name: str, *, days: int = _CA_DAYS) -> Issued:
    """A self-issued certificate authority that may issue leaves and no further authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(common_name)
    builder = (
        _builder(subject, subject, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def leaf(issuer: Issued, common_name: str, usages: list[ObjectIdentifier], *, days: float) -> Issued:
    """An end-entity certificate with a key of its own; see `certify`."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Issued(_certificate(issuer, common_name, key.public_key(), usages, days), key)


def certify(
    issuer: Issued,
    common_name: str,
    public: ec.EllipticCurvePublicKey,
    usages: list[ObjectIdentifier],
    *,
    days: float,
) -> bytes:
    """PEM of an end-entity certificate for digital signatures with the given critical extended key usages.

    For a key whose private half is elsewhere, for example on a PKCS#11 token.
    """
    return _certificate(issuer, common_name, public, usages, days).public_bytes(serialization.Encoding.PEM)


def stored_root() -> Issued:
    """This installation's own signing root. KeyUnavailable or ConfigurationError when it is not ours."""
    certificate = x509.load_pem_x509_certificate(keyring.read("c2pa_ca_cert"))
    key = serialization.load_pem_private_key(keyring.read("c2pa_ca"), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigurationError(
            "the signing root in the key ring has no private key here",
            help="Ask your authority for a certificate: `byline keys csr`, then `byline keys install CHAIN`.",
        )
    return Issued(certificate, key)


def revocation_list(
    issuer: Issued, before: bytes, serial: int, why: x509.ReasonFlags, now: dt.datetime
) -> bytes:
    """PEM of the issuer's revocation list (RFC 5280): what `before` (PEM or nothing) lists, and one more."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    number = 1
    if before:
        old = x509.load_pem_x509_crl(before)
        number += old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for entry in old:
            if entry.serial_number != serial:
                builder = builder.add_revoked_certificate(entry)
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(serial)
        .revocation_date(now)
        .add_extension(x509.CRLReason(why), critical=False)
        .build()
    )
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    made = (
        builder.add_revoked_certificate(entry)
        .last_update(now)
        .next_update(now + dt.timedelta(days=_CRL_DAYS))
        .add_extension(authority_key, critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _certificate(
    issuer: Issued,
    common_name: str,
    public: ec.EllipticCurvePublicKey,
    usages: list[ObjectIdentifier],
    days: float,
) -> x509.Certificate:
    builder = (
        _builder(_name(common_name), issuer.certificate.subject, public, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    )
    return builder.sign(issuer.key, hashes.SHA256())


def development_leaf(authority: Issued) -> Issued:
    """A fresh signer's certificate with its key under a development root."""
    usages = [ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING]
    return leaf(authority, f"Byline development signer {secrets.token_hex(4)}", usages, days=_LEAF_DAYS)


def _signing_authority() -> dict[str, bytes]:
    authority = root(f"Byline development signing root {secrets.token_hex(4)}")
    signer = development_leaf(authority)
    return {
        "c2pa_ca_cert": authority.pem,
        "c2pa_ca": authority.key_pem,
        "c2pa_chain": signer.pem,  # leaf first; verifiers bring the root
        "c2pa_leaf": signer.key_pem,
    }


def _stamping_authority() -> dict[str, bytes]:
    tag = secrets.token_hex(4)
    authority = root(f"Byline development time-stamp root {tag}")
    stamper = leaf(
        authority,
        f"Byline development time stamper {tag}",
        [ExtendedKeyUsageOID.TIME_STAMPING],
        days=_CA_DAYS - 1,  # a stamp must outlive the leaves it vouches for
    )
    return {"tsa_ca_cert": authority.pem, "tsa_cert": stamper.pem, "tsa": stamper.key_pem}


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Byline development"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def usage(*, certificates: bool) -> x509.KeyUsage:
    """What a key may do: issue certificates and revocation lists, or sign everything else."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
