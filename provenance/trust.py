"""The trust bundle: whom a verifier believes. Loads without Django and without a key.

Promises: one JSON file with the C2PA signing roots, the time-stamp roots (PEM) and the log's
verifier key (C2SP vkey), and what was revoked under those roots (revocation.py). It holds public
things only, so it may be given to anybody; what counts is the channel by which it arrives. Trust
never comes from the file that is being verified. A bundle that revokes something is of version 2,
so that a reader too old to heed it refuses it; any other is still of version 1.
Left out: trust that ends at a date.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from byline.audit.base.errors import InvalidInput
from byline.audit.checkpoint import CheckpointInvalid, parse_vkey
from byline.provenance import revocation

MAX_BYTES = 4 << 20
_NOTHING = {"crls": "", "issuers": ""}
_KIND, _VERSIONS = "byline-trust-bundle", (1, 2)
_FIELDS = {"kind", "v", "c2pa_roots", "tsa_roots", "log"}
_OPTIONAL = {1: {"receipts"}, 2: {"receipts", "revoked"}}


class BadTrustBundle(InvalidInput):
    """The bundle is not one, or holds something that is no certificate and no verifier key."""

    code = "bad_trust_bundle"
    help = "Get a bundle made by `byline trust export` from the newsroom, over a channel that you trust."


@dataclass(frozen=True)
class TrustBundle:
    """`c2pa_roots` and `tsa_roots` are PEM text, possibly empty; `log_vkey` is C2SP text or "".

    `crls` are revocation lists in PEM, each signed by a signing root or by one of `crl_issuers`.
    """

    c2pa_roots: str
    tsa_roots: str
    log_origin: str
    log_vkey: str
    receipt_vkey: str = ""  # checks signed receipts and status lists; bundles made before have none
    crls: str = ""
    crl_issuers: str = ""

    @classmethod
    def load(cls, path: Path) -> "TrustBundle":
        """Read an exported bundle: the file, or a directory with trust.json. BadTrustBundle otherwise."""
        file = path / "trust.json" if path.is_dir() else path
        try:
            if file.stat().st_size > MAX_BYTES:
                raise BadTrustBundle("the trust bundle is larger than 4 MiB")
            data = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise BadTrustBundle("the trust bundle cannot be read as JSON") from error
        version = data.get("v") if isinstance(data, dict) else None
        if not isinstance(data, dict) or data.get("kind") != _KIND or version not in _VERSIONS:
            raise BadTrustBundle(f"the file is not a {_KIND} of version 1 or 2")
        log = data.get("log")
        revoked = data.get("revoked", _NOTHING)
        if (
            set(data) - _OPTIONAL[version] != _FIELDS
            or not isinstance(log, dict)
            or set(log) != {"origin", "vkey"}
            or not isinstance(revoked, dict)
            or set(revoked) != set(_NOTHING)
        ):
            raise BadTrustBundle(f"the trust bundle does not have exactly the fields of version {version}")
        return cls._checked(
            data["c2pa_roots"],
            data["tsa_roots"],
            log["origin"],
            log["vkey"],
            data.get("receipts", ""),
            revoked["crls"],
            revoked["issuers"],
        )

    @classmethod
    def from_installation(cls) -> "TrustBundle":
        """This installation's own roots, old ones too, its log key and what it revoked: all public files."""
        from byline.audit.base import keyring

        vkey = keyring.read("log_vkey").decode().strip()
        return cls._checked(
            _all(keyring.read_all("c2pa_ca_cert")),
            _all(keyring.read_all("tsa_ca_cert")),
            vkey.partition("+")[0],
            vkey,
            keyring.read("receipt_vkey").decode().strip() if keyring.path("receipt_vkey").exists() else "",
            keyring.read("c2pa_crls").decode() if keyring.path("c2pa_crls").exists() else "",
            _all(keyring.read_all("c2pa_issuers")) if keyring.path("c2pa_issuers").exists() else "",
        )

    @classmethod
    def empty(cls) -> "TrustBundle":
        """Nobody: signatures are checked, no signer is known, no proof can be checked."""
        return cls("", "", "", "")

    @classmethod
    def _checked(
        cls,
        c2pa_roots: Any,
        tsa_roots: Any,
        origin: Any,
        vkey: Any,
        receipts: Any,
        crls: Any,
        crl_issuers: Any,
    ) -> "TrustBundle":
        values = (c2pa_roots, tsa_roots, origin, vkey, receipts, crls, crl_issuers)
        if not all(isinstance(value, str) for value in values):
            raise BadTrustBundle("the trust bundle holds something that is not text")
        for pem in (c2pa_roots, tsa_roots):
            try:
                if pem.strip():
                    x509.load_pem_x509_certificates(pem.encode())
            except ValueError as error:
                raise BadTrustBundle("the trust bundle holds something that is no certificate") from error
        if vkey:
            try:
                name = parse_vkey(vkey).name
            except CheckpointInvalid as error:
                raise BadTrustBundle(f"the log's verifier key is malformed: {error}") from error
            if name != origin:
                raise BadTrustBundle("the log's origin and its verifier key name different logs")
        elif origin:
            raise BadTrustBundle("the trust bundle names a log without its verifier key")
        try:
            if receipts:
                parse_vkey(receipts)
        except CheckpointInvalid as error:
            raise BadTrustBundle(f"the key of receipts is malformed: {error}") from error
        try:
            revocation.load(crls, crl_issuers, c2pa_roots)
        except revocation.BadRevocationList as error:
            raise BadTrustBundle(f"the bundle's revocations cannot be used: {error}") from error
        return cls(c2pa_roots, tsa_roots, origin, vkey, receipts, crls, crl_issuers)

    def as_dict(self) -> dict[str, Any]:
        """The bundle as the JSON object that `load` reads."""
        return {
            "kind": _KIND,
            "v": 2 if self.crls else 1,
            "c2pa_roots": self.c2pa_roots,
            "tsa_roots": self.tsa_roots,
            "log": {"origin": self.log_origin, "vkey": self.log_vkey},
        } | self._optional()

    def _optional(self) -> dict[str, Any]:
        found: dict[str, Any] = {"receipts": self.receipt_vkey} if self.receipt_vkey else {}
        if self.crls:
            found["revoked"] = {"crls": self.crls, "issuers": self.crl_issuers}
        return found

    def export(self, path: Path) -> None:
        """Write the bundle for outsiders."""
        path.write_text(json.dumps(self.as_dict(), indent=2) + "\n")


def _all(files: list[bytes]) -> str:
    return "".join(pem.decode().strip() + "\n" for pem in files)
