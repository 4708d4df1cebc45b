"""Whether a signer's certificate was revoked, by revocation lists that the reader already holds.

Promises: nothing is fetched; only lists (CRL, RFC 5280 section 5) count that a signing root of the
bundle signed, or an issuer of the bundle that such a root certified. What was signed before the
revocation, by a trusted time stamp, stays valid; without such a stamp, or after, it does not
(C2PA 2.4 section 15.7: validity at the time of signing). A list that is past its date still counts
for what it names: revocation is not taken back by waiting.
Why lists: OCSP asks the authority at reading time, which tells it who reads what and fails offline,
and the C2PA library has no way to staple an answer from Python. An answer that somebody else
stapled is heeded if it says "revoked" (reading.py). Left out: delta and indirect lists, and
intermediates, whose serial numbers the library does not show.
"""

import datetime as dt
import functools
import re
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import CRLEntryExtensionOID, NameOID

_BLOCK = re.compile(r"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_NAMES = {
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.COMMON_NAME: "CN",
}


class BadRevocationList(ValueError):
    """A list that cannot be read, or that nobody of the bundle signed. The message says which."""


@functools.lru_cache(maxsize=8)
def load(crls: str, issuers: str, roots: str) -> tuple[x509.CertificateRevocationList, ...]:
    """The lists in PEM text, each checked against its issuer. BadRevocationList for the first that fails."""
    blocks = _BLOCK.findall(crls)
    if _BLOCK.sub("", crls).strip():
        raise BadRevocationList("there is something that is no revocation list")
    try:
        anchors = x509.load_pem_x509_certificates(roots.encode()) if roots.strip() else []
        given = x509.load_pem_x509_certificates(issuers.encode()) if issuers.strip() else []
        lists = [x509.load_pem_x509_crl(block.encode()) for block in blocks]
    except ValueError as error:
        raise BadRevocationList("a revocation list or its issuer cannot be read") from error
    authorities = [*anchors, *(one for one in given if any(_issued(one, root) for root in anchors))]
    for one in lists:
        if not any(_signed(one, authority) for authority in authorities):
            who = one.issuer.rfc4514_string()
            raise BadRevocationList(f"the revocation list of {who} is signed by no root of the bundle")
    return tuple(lists)


def reason(
    lists: tuple[x509.CertificateRevocationList, ...],
    serial: int,
    issuer: Callable[[], dict[str, str]],
    signed_at: dt.datetime | None,
) -> str:
    """Why the certificate no longer counts, "" while no list speaks against it.

    `issuer` gives its issuer's organisation and common name ({"O": ..., "CN": ...}) and is only asked
    when the serial number is listed; `signed_at` is the time of a trusted stamp, None without one.
    """
    for one in lists:
        entry = one.get_revoked_certificate_by_serial_number(serial)
        if entry is None or _names(one.issuer) != issuer():
            continue
        why = _extension(entry, CRLEntryExtensionOID.CRL_REASON)
        if why is not None and why.reason is x509.ReasonFlags.remove_from_crl:
            continue
        since = entry.revocation_date_utc
        invalid = _extension(entry, CRLEntryExtensionOID.INVALIDITY_DATE)
        if invalid is not None:
            since = min(since, invalid.invalidity_date_utc)
        if signed_at is not None and signed_at < since:
            continue
        said = f" ({why.reason.value})" if why is not None else ""
        when = (
            "and no trusted time stamp says that it was signed before"
            if signed_at is None
            else (f"and the file was signed at {signed_at:%Y-%m-%d %H:%M} UTC")
        )
        return f"revoked since {since:%Y-%m-%d %H:%M} UTC{said}, {when}"
    return ""


def _names(name: x509.Name) -> dict[str, str]:
    found = {}
    for oid, short in _NAMES.items():
        values = name.get_attributes_for_oid(oid)
        if values:
            found[short] = str(values[0].value)
    return found


def _extension(entry: x509.RevokedCertificate, oid: x509.ObjectIdentifier):
    try:
        return entry.extensions.get_extension_for_oid(oid).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _signed(one: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        key: Any = authority.public_key()  # a key that cannot sign raises TypeError
        return one.issuer == authority.subject and one.is_signature_valid(key)
    except (TypeError, ValueError, InvalidSignature):
        return False


def _issued(one: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(authority)
    except (TypeError, ValueError, InvalidSignature):
        return False
    return True
