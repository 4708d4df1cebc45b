"""Read a C2PA manifest under roots that the caller supplies, and never ask the network.

Promises (C2PA 2.4 section 15): trust comes from the TrustBundle alone; remote manifests, OCSP and
DID documents are not fetched; a damaged or cut manifest box is reported as damaged, not as absent;
failures of ancestors and of identity assertions, which the library leaves out of its overall
state, are reported apart. The library (c2pa-rs 0.91) lets a root of any trust list vouch for any
signer, so we ask which list vouched: a public time-stamp root must not make its S/MIME customers
newsrooms. Identity assertions (CAWG) are parsed and their codes kept apart; the documents that
they point to are not fetched, so they never come out confirmed and no name from them is shown.
"""

import datetime as dt
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from byline.provenance import formats, revocation
from byline.provenance.trust import TrustBundle

logging.getLogger("c2pa").addHandler(logging.NullHandler())  # its messages may quote the hostile file

Presence = Literal["read", "absent", "remote", "damaged", "unsupported"]
_SIGNERS, _STAMPERS = "urn:byline:trust:c2pa", "urn:byline:trust:tsa"
MAX_BYTES = 2 << 30
_REMOTE = "the file names a manifest kept elsewhere; nothing is fetched from an address that a file names"


@dataclass(frozen=True)
class Ancestor:
    """One ingredient of the manifest and the validation codes that failed for it.

    `licence` and `credentials` are what the manifest's own signer wrote down about it (docs/manifest.md,
    "Ingredients"), "" where it wrote nothing; `has_manifest` says whether it brought credentials along.
    """

    title: str
    relationship: str
    failures: tuple[str, ...]
    licence: str = ""
    credentials: str = ""
    has_manifest: bool = False


@dataclass(frozen=True)
class ManifestReading:
    """What the manifest says and what of it held. Codes are those of C2PA 2.4 section 15.2.2.

    `failures` belong to the active manifest; `signer_known` means that its certificate chains to a
    signing root of the bundle; `stamped` that a trusted time stamp covers the signature. `revoked`
    says why the signer's certificate no longer counts, "" while nothing is known against it.
    """

    presence: Presence
    state: str = ""
    signer_known: bool = False
    stamped: bool = False
    successes: frozenset[str] = frozenset()
    failures: tuple[str, ...] = ()
    identity_failures: tuple[str, ...] = ()
    ancestors: tuple[Ancestor, ...] = ()
    label: str = ""
    title: str = ""
    generator: str = ""
    signer: str = ""
    signer_serial: str = ""  # of its certificate, in decimal digits
    signed_at: str = ""
    assertions: tuple[dict[str, Any], ...] = ()
    detail: str = ""
    revoked: str = ""
    codes: dict[str, list[str]] = field(default_factory=dict)

    def assertion(self, label: str) -> Any:
        """The data of the first assertion with this label, None without one."""
        return next((a.get("data") for a in self.assertions if a.get("label") == label), None)


def context_settings(trust: TrustBundle, *, stampers: bool = True) -> dict[str, Any]:
    """Settings of the C2PA library: offline, nothing beyond the bundle's roots, no thumbnails."""
    anchors = []
    if stampers and trust.tsa_roots.strip():
        anchors.append({"trust_anchors": trust.tsa_roots, "trust_kind": "tsa", "trust_uri": _STAMPERS})
    if trust.c2pa_roots.strip():
        anchors.append({"trust_anchors": trust.c2pa_roots, "trust_kind": "manifest", "trust_uri": _SIGNERS})
    settings: dict[str, Any] = {
        "builder": {
            "thumbnail": {"enabled": False},
            # What the library adds by itself (`c2pa.opened` of an update) is the only action there then.
            "actions": {"auto_all_actions_included": True},
        },
        "core": {"decode_identity_assertions": True, "allowed_network_hosts": []},
        "verify": {
            "verify_trust": True,
            "verify_after_sign": False,  # whoever signs reads the file back from disk, under its own roots
            "verify_timestamp_trust": True,
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
        },
    }
    if anchors:
        settings["trust"] = {"anchors": anchors}
    return settings


def read(path: Path, trust: TrustBundle, *, manifest: bytes | None = None) -> ManifestReading:
    """Read and validate the manifest in a file, or `manifest` as if it were the file's own.

    Never raises for what the file contains; OSError as the system gives it.
    """
    found = formats.sniff(path)
    if found is None or (not found.manifests and manifest is None):
        if manifest is None and formats.has_manifest_traces(path):
            return ManifestReading("damaged", detail="the file holds a manifest but is of no readable format")
        return ManifestReading("unsupported", detail="manifests in this format cannot be read")
    if path.stat().st_size > MAX_BYTES:
        return ManifestReading("unsupported", detail="the file is larger than 2 GiB")
    with path.open("rb") as stream:
        return _read(found.mime, stream, trust, manifest) or _unread(path)


def read_store(store: bytes, trust: TrustBundle) -> ManifestReading:
    """Read a manifest that was kept apart from its file. Its hash of the file cannot match then."""
    reading = _read("application/c2pa", io.BytesIO(store), trust, None)
    return reading or ManifestReading("damaged", detail="the kept manifest cannot be read")


def _read(mime: str, stream: BinaryIO, trust: TrustBundle, manifest: bytes | None) -> ManifestReading | None:
    """The reading; None when the library finds no manifest that it can read, RemoteManifest included."""
    try:
        reading = _interpret(*_load(mime, stream, trust, manifest, stampers=True))
        reading = replace(reading, revoked=_revoked(reading, mime, stream, trust, manifest))
        if "signingCredential.trusted" in reading.successes and not reading.signer_known:
            # The signer's root may stand in both lists; then it must convince without the stampers'.
            alone = _interpret(*_load(mime, stream, trust, manifest, stampers=False))
            if alone.signer_known:
                return replace(reading, signer_known=True)
            failures = (*reading.failures, "signingCredential.untrusted")
            state = "Valid" if reading.state == "Trusted" else reading.state
            return replace(reading, state=state, failures=failures)
    except _RemoteManifest:
        return ManifestReading("remote", detail=_REMOTE)
    except (_NoManifest, ValueError, RecursionError):  # no JSON form that can be parsed: no manifest either
        return None
    return reading


def _revoked(
    reading: ManifestReading, mime: str, stream: BinaryIO, trust: TrustBundle, manifest: bytes | None
) -> str:
    """Why the signer's certificate no longer counts, by the bundle's lists or by an answer in the file."""
    if any("signingCredential.ocsp.revoked" in codes for codes in reading.codes.values()):
        return "its authority's own answer (OCSP), kept in the file, says that it is revoked"
    if not trust.crls or not reading.signer_serial.isdigit():
        return ""

    def issuer() -> dict[str, str]:
        with _reader(mime, stream, trust, manifest, stampers=True) as reader:
            active = json.loads(reader.crjson())["manifests"][0]
        found = active.get("signature", {}).get("certificateInfo", {}).get("issuer") or {}
        return {name: str(found[name]) for name in ("O", "CN") if name in found}

    lists = revocation.load(trust.crls, trust.crl_issuers, trust.c2pa_roots)
    at = dt.datetime.fromisoformat(reading.signed_at) if reading.stamped and reading.signed_at else None
    return revocation.reason(lists, int(reading.signer_serial), issuer, at)


class _NoManifest(Exception):
    """The library cannot read a manifest here."""


class _RemoteManifest(Exception):
    """The file only names an address."""


def _load(
    mime: str, stream: BinaryIO, trust: TrustBundle, manifest: bytes | None, *, stampers: bool
) -> tuple[dict[str, Any], str]:
    with _reader(mime, stream, trust, manifest, stampers=stampers) as reader:
        return json.loads(reader.json()), str(reader.get_validation_state() or "")


@contextmanager
def _reader(
    mime: str, stream: BinaryIO, trust: TrustBundle, manifest: bytes | None, *, stampers: bool
) -> Iterator[Any]:
    import c2pa

    stream.seek(0)
    try:
        context = c2pa.Context.from_dict(context_settings(trust, stampers=stampers))
        reader = c2pa.Reader(mime, stream, manifest_data=manifest, context=context)
        try:
            yield reader
        finally:
            reader.close()
    except c2pa.C2paError as error:
        if "remote manifest" in str(error).lower():
            raise _RemoteManifest from error
        raise _NoManifest from error


def crjson(
    path: Path, trust: TrustBundle, manifest: bytes | None = None, *, stampers: bool = True
) -> dict[str, Any] | None:
    """The library's crJSON object for a file whose manifest `read` has read; None when it makes none."""
    found = formats.sniff(path)
    if found is None:
        return None
    try:
        with (
            path.open("rb") as stream,
            _reader(found.mime, stream, trust, manifest, stampers=stampers) as reader,
        ):
            made = json.loads(reader.crjson())
    except (_NoManifest, _RemoteManifest, ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) and made.get("manifests") else None


def _unread(path: Path) -> ManifestReading:
    if formats.has_manifest_traces(path):
        return ManifestReading("damaged", detail="a manifest is in the file but cannot be read")
    return ManifestReading("absent", detail="the file holds no manifest")


def _interpret(store: dict[str, Any], state: str) -> ManifestReading:
    label = str(store.get("active_manifest") or "")
    active = (store.get("manifests") or {}).get(label)
    results = store.get("validation_results") or {}
    own = results.get("activeManifest") or {}
    if not isinstance(active, dict):
        if not own.get("failure"):
            return ManifestReading("damaged", detail="the manifest store names no active manifest")
        active = {}  # the library could not make sense of it, and says why
    successes = frozenset(_codes(own.get("success")))
    failed = _codes(own.get("failure"))
    signature = active.get("signature_info") or {}
    return ManifestReading(
        "read",
        state=state,
        signer_known="signingCredential.trusted" in successes and results.get("trustListUri") == _SIGNERS,
        stamped={"timeStamp.validated", "timeStamp.trusted"} <= successes,
        successes=successes,
        failures=tuple(code for code in failed if not code.startswith("cawg.")),
        identity_failures=tuple(code for code in failed if code.startswith("cawg.")),
        ancestors=_ancestors(store, results),
        label=label,
        title=str(active.get("title") or ""),
        generator=_generator(active),
        signer=", ".join(str(signature[k]) for k in ("common_name", "issuer") if signature.get(k)),
        signer_serial=str(signature.get("cert_serial_number") or ""),
        signed_at=str(signature.get("time") or ""),
        assertions=tuple(a for a in active.get("assertions") or () if isinstance(a, dict)),
        codes={kind: _codes(own.get(kind)) for kind in ("success", "informational", "failure")},
    )


def _codes(statuses: Any) -> list[str]:
    return [str(s.get("code")) for s in statuses or () if isinstance(s, dict)]


def _generator(active: dict[str, Any]) -> str:
    names = [
        f"{info.get('name', '')} {info.get('version', '')}".strip()
        for info in active.get("claim_generator_info") or ()
        if isinstance(info, dict)
    ]
    return ", ".join(name for name in names if name) or str(active.get("claim_generator") or "")


def _ancestors(store: dict[str, Any], results: dict[str, Any]) -> tuple[Ancestor, ...]:
    """Ingredients of every manifest, the active one's first, with what failed when they were taken in and
    what fails now. The library gives manifests in a new order at each reading; this order is fixed."""
    now: dict[str, list[str]] = {}
    for delta in results.get("ingredientDeltas") or ():
        uri = str(delta.get("ingredientAssertionURI") or "")
        now.setdefault(uri, []).extend(_codes((delta.get("validationDeltas") or {}).get("failure")))
    found = []
    active = store.get("active_manifest")
    manifests = (store.get("manifests") or {}).items()
    for name, manifest in sorted(manifests, key=lambda item: (item[0] != active, item[0])):
        for ingredient in manifest.get("ingredients") or ():
            recorded = ((ingredient.get("validation_results") or {}).get("activeManifest") or {}).get(
                "failure"
            )
            codes = _codes(recorded) + _codes(ingredient.get("validation_status"))
            uri = f"/{name}/c2pa.assertions/{ingredient.get('label') or ''}"
            for key in [key for key in now if key.endswith(uri)]:
                codes += now.pop(key)
            codes = [code for code in codes if not code.startswith("cawg.")]  # as for the file itself
            about = ingredient.get("metadata")
            said = about if isinstance(about, dict) else {}
            found.append(
                Ancestor(
                    str(ingredient.get("title") or ingredient.get("label") or "unnamed"),
                    str(ingredient.get("relationship") or ""),
                    tuple(dict.fromkeys(codes)),
                    str(said.get("org.byline.licence") or ""),
                    str(said.get("org.byline.credentials") or ""),
                    bool(ingredient.get("active_manifest")),
                )
            )
    left = (code for codes in now.values() for code in codes if not code.startswith("cawg."))
    leftover = tuple(dict.fromkeys(left))
    if leftover:
        found.append(Ancestor("an ancestor", "", leftover))
    return tuple(found)
