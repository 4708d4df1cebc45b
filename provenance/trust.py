"""The trust bundle: whom a verifier believes. Loads without Django and without a key.

Promises: one JSON file with the C2PA signing roots, the time-stamp roots (PEM) and the log's
verifier key (C2SP vkey). It holds public things only, so it may be given to anybody; what counts
is the channel by which it arrives. Trust never comes from the file that is being verified.
Left out: revocation, and trust that ends at a date.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from byline.audit.base.errors import InvalidInput
from byline.audit.checkpoint import CheckpointInvalid, parse_vkey

MAX_BYTES = 4 << 20
_KIND, _VERSION = "byline-trust-bundle", 1
_FIELDS = {"kind", "v", "c2pa_roots", "tsa_roots", "log"}
_OPTIONAL = {"receipts"}


class BadTrustBundle(InvalidInput):
    """The bundle is not one, or holds something that is no certificate and no verifier key."""

    code = "bad_trust_bundle"
    help = "Get a bundle made by `byline trust export` from the newsroom, over a channel that you trust."


@dataclass(frozen=True)
class TrustBundle:
    """`c2pa_roots` and `tsa_roots` are PEM text, possibly empty; `log_vkey` is C2SP text or ""."""

    c2pa_roots: str
    tsa_roots: str
    log_origin: str
    log_vkey: str
    receipt_vkey: str = ""  # checks signed receipts and status lists; bundles made before have none

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
        if not isinstance(data, dict) or data.get("kind") != _KIND or data.get("v") != _VERSION:
            raise BadTrustBundle(f"the file is not a {_KIND} of version {_VERSION}")
        log = data.get("log")
        if set(data) - _OPTIONAL != _FIELDS or not isinstance(log, dict) or set(log) != {"origin", "vkey"}:
            raise BadTrustBundle("the trust bundle does not have exactly the fields of version 1")
        receipts = data.get("receipts", "")
        return cls._checked(data["c2pa_roots"], data["tsa_roots"], log["origin"], log["vkey"], receipts)

    @classmethod
    def from_installation(cls) -> "TrustBundle":
        """This installation's own roots and log key, from the public files of its keyring."""
        from byline.audit.base import keyring

        vkey = keyring.read("log_vkey").decode().strip()
        return cls._checked(
            keyring.read("c2pa_ca_cert").decode(),
            keyring.read("tsa_ca_cert").decode(),
            vkey.partition("+")[0],
            vkey,
            keyring.read("receipt_vkey").decode().strip() if keyring.path("receipt_vkey").exists() else "",
        )

    @classmethod
    def empty(cls) -> "TrustBundle":
        """Nobody: signatures are checked, no signer is known, no proof can be checked."""
        return cls("", "", "", "")

    @classmethod
    def _checked(
        cls, c2pa_roots: Any, tsa_roots: Any, origin: Any, vkey: Any, receipts: Any
    ) -> "TrustBundle":
        if not all(isinstance(value, str) for value in (c2pa_roots, tsa_roots, origin, vkey, receipts)):
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
        return cls(c2pa_roots, tsa_roots, origin, vkey, receipts)

    def as_dict(self) -> dict[str, Any]:
        """The bundle as the JSON object that `load` reads."""
        return {
            "kind": _KIND,
            "v": _VERSION,
            "c2pa_roots": self.c2pa_roots,
            "tsa_roots": self.tsa_roots,
            "log": {"origin": self.log_origin, "vkey": self.log_vkey},
        } | ({"receipts": self.receipt_vkey} if self.receipt_vkey else {})

    def export(self, path: Path) -> None:
        """Write the bundle for outsiders."""
        path.write_text(json.dumps(self.as_dict(), indent=2) + "\n")
