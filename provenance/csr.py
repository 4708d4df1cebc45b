"""The way to a certificate of an outside authority: the request, and the check of what comes back.

Promises: `request` makes a PKCS#10 request (RFC 2986) for the C2PA claim-signing profile (C2PA 2.4
section 14.5.1: P-256, key usage digitalSignature, extended key usage emailProtection and
c2pa-kp-claimSigning, an organisation), signed by any signer, so the key may stay on its token.
`check_chain` names everything in a chain that the profile, the C2PA library or a reader would
refuse, all at once. Both are pure apart from the signer. Left out: other key types; what an
authority demands beyond this; whether anybody trusts the root, which no file can say.
"""

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from byline.audit.base.errors import InvalidInput
from byline.provenance import certs, der

_ECDSA_SHA256, _EXTENSION_REQUEST = "1.2.840.10045.4.3.2", "1.2.840.113549.1.9.14"
_MAX_CHAIN = 64 * 1024
_MAX_NAME = 64  # RFC 5280 appendix A.1: upper bounds of organizationName and commonName
_SIGNER_USAGES = (ExtendedKeyUsageOID.EMAIL_PROTECTION, certs.CLAIM_SIGNING)
_FORBIDDEN_USAGES = {  # C2PA 2.4 section 14.5.1: a signer's certificate serves signing alone
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "any",
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
}


class BadRequest(InvalidInput):
    """A name that cannot stand in a certificate request."""

    code = "bad_certificate_request"
    help = "Give the organisation's legal name, at most 64 characters, and a two-letter country code."


class BadChain(InvalidInput):
    """`problems` are (name, text), for example ("leaf.key-usage", "..."); the message lists them all."""

    code = "bad_certificate_chain"
    help = (
        "Nothing was changed. Send the authority a request made by `byline keys csr`, and check its answer."
    )

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in problems))
        self.problems = problems


@dataclass(frozen=True)
class Chain:
    """A chain that passed: leaf first, without the root. `notes` are worth telling, not worth refusing."""

    certificates: tuple[x509.Certificate, ...]
    root: x509.Certificate
    notes: tuple[str, ...]

    @property
    def pem(self) -> bytes:
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.certificates)

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(serialization.Encoding.PEM)


def request(
    sign: Callable[[bytes], bytes],
    public: ec.EllipticCurvePublicKey,
    *,
    organization: str,
    common_name: str,
    country: str = "",
) -> bytes:
    """PEM of the request. `sign` gives r and s over SHA-256 of its argument. BadRequest for a bad name."""
    try:
        names = [x509.NameAttribute(NameOID.COUNTRY_NAME, country)] if country else []
        names += [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if any(not name.strip() or len(name) > _MAX_NAME for name in (organization, common_name)):
        raise BadRequest(f"the organisation and the common name have 1 to {_MAX_NAME} characters")
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (certs.usage(certificates=False), True),
        (x509.ExtendedKeyUsage(_SIGNER_USAGES), True),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
    ]
    wanted = der.write(der.SEQUENCE, *(_extension(value, critical) for value, critical in extensions))
    attribute = der.write(der.SEQUENCE, der.oid(_EXTENSION_REQUEST), der.set_of(wanted))
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    info = der.write(
        der.SEQUENCE,
        der.integer(0),
        x509.Name(names).public_bytes(),
        spki,
        der.write(0xA0, attribute),
    )
    signature = sign(info)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    whole = der.write(
        der.SEQUENCE,
        info,
        der.write(der.SEQUENCE, der.oid(_ECDSA_SHA256)),
        der.write(der.BITS, b"\0" + encode_dss_signature(r, s)),
    )
    made = x509.load_der_x509_csr(whole)
    if not made.is_signature_valid:
        raise BadRequest("the signer's signature does not belong to its public key")
    return made.public_bytes(serialization.Encoding.PEM)


def _extension(value: x509.ExtensionType, critical: bool) -> bytes:
    flag = der.write(der.BOOLEAN, b"\xff") if critical else b""
    return der.write(
        der.SEQUENCE, der.oid(value.oid.dotted_string), flag, der.write(der.OCTETS, value.public_bytes())
    )


def check_chain(
    pem: bytes, known_root: bytes, public: ec.EllipticCurvePublicKey, now: dt.datetime | None = None
) -> Chain:
    """The chain in `pem` under `known_root` (PEM) or a root that `pem` itself ends with. BadChain otherwise.

    `public` is the signer's key, which the leaf must certify.
    """
    moment = now or dt.datetime.now(dt.UTC)
    try:
        if len(pem) > _MAX_CHAIN:
            raise ValueError("too long")
        given = x509.load_pem_x509_certificates(pem)
        root = x509.load_pem_x509_certificate(known_root)
    except ValueError as error:
        raise BadChain([("chain.unreadable", "it is no PEM file of certificates")]) from error
    if len(given) > 1 and _self_issued(given[-1]):
        root = given.pop()
    problems = [*_leaf(given[0], public, moment), *_order([*given, root], moment)]
    if problems:
        raise BadChain(problems)
    usages = given[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    notes = []
    if certs.CLAIM_SIGNING not in usages:
        notes.append("without c2pa-kp-claimSigning: not on the way to the C2PA trust list")
    if any("development" in name.rfc4514_string().lower() for name in (root.subject, given[0].subject)):
        notes.append("of a development authority: on nobody's trust list")
    return Chain(tuple(given), root, tuple(notes))


def _leaf(
    leaf: x509.Certificate, public: ec.EllipticCurvePublicKey, now: dt.datetime
) -> list[tuple[str, str]]:
    found = []
    if _self_issued(leaf):
        found.append(("leaf.self-signed", "a signer's certificate must be issued by an authority"))
    if leaf.version is not x509.Version.v3:
        found.append(("leaf.version", "it must be an X.509 version 3 certificate"))
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        found.append(("leaf.key", "it must certify a P-256 key"))
    elif key != public:
        found.append(("leaf.key-mismatch", "it certifies another key than the signer's"))
    if not leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME):
        found.append(("leaf.organization", "its subject must name an organisation"))
    usage = _get(leaf, x509.KeyUsage)
    if usage is None or not usage.critical or not usage.value.digital_signature or usage.value.key_cert_sign:
        found.append(
            ("leaf.key-usage", "key usage must be critical, with digitalSignature, without certificates")
        )
    extended = _get(leaf, x509.ExtendedKeyUsage)
    if extended is None or ExtendedKeyUsageOID.EMAIL_PROTECTION not in extended.value:
        found.append(
            ("leaf.extended-key-usage", "it must contain emailProtection, which readers ask for today")
        )
    elif bad := [name for oid, name in _FORBIDDEN_USAGES.items() if oid in extended.value]:
        found.append(("leaf.extended-key-usage", f"it must not contain {', '.join(bad)}"))
    constraints = _get(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        found.append(("leaf.authority", "it is an authority's certificate, not a signer's"))
    if _get(leaf, x509.AuthorityKeyIdentifier) is None:
        found.append(
            ("leaf.authority-key-identifier", "it must have one; the C2PA library refuses it without")
        )
    return found + _validity(leaf, "leaf", now)


def _order(path: list[x509.Certificate], now: dt.datetime) -> list[tuple[str, str]]:
    """Problems of the path from the leaf to the root, both included."""
    found = []
    for at, (one, issuer) in enumerate(itertools.pairwise(path)):
        name = "chain.root" if at == len(path) - 2 else "chain.order"
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            who = issuer.subject.rfc4514_string()
            found.append((name, f"certificate {at + 1} was not issued by {who}, which follows it"))
    for at, one in enumerate(path[1:], start=2):
        constraints, usage = _get(one, x509.BasicConstraints), _get(one, x509.KeyUsage)
        if constraints is None or not constraints.value.ca or (usage and not usage.value.key_cert_sign):
            found.append(("chain.authority", f"certificate {at} may not issue certificates"))
        found += _validity(one, "chain", now)
    return found


def _validity(one: x509.Certificate, whose: str, now: dt.datetime) -> list[tuple[str, str]]:
    if now < one.not_valid_before_utc:
        return [(f"{whose}.not-yet-valid", f"valid from {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")]
    if now > one.not_valid_after_utc:
        return [(f"{whose}.expired", f"valid until {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")]
    return []


def _self_issued(one: x509.Certificate) -> bool:
    return one.subject == one.issuer


def _get(one: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension | None:
    try:
        return one.extensions.get_extension_for_class(kind)
    except (x509.ExtensionNotFound, ValueError):
        return None
