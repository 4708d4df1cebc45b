"""Say what is known of a file, under roots that you supply.

Needs no database and no network: with `--trust` and `--records` it works in an empty home.
Exit codes: 0 bytes intact, signer verified under the roots you supplied, proof valid · 10 tampered
or transplanted · 11 valid, signer not in the bundle or revoked · 12 recovered by mark · 13 similar to a
record · 14 nothing found (says nothing about AI) · 15 unreadable · 16 genuine, but consent was
withdrawn or the clip was taken down.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byline.audit.base.errors import InvalidInput

if TYPE_CHECKING:
    from byline.provenance.records import RecordSource
    from byline.provenance.status import StatusSource
    from byline.provenance.trust import TrustBundle

HELP = "check a file's manifest, proof and mark"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument("--offline", action="store_true", help="ask nobody, not even the local database")
    parser.add_argument("--trust", type=Path, metavar="BUNDLE", help="bundle made by `byline trust export`")
    parser.add_argument("--records", type=Path, metavar="DIR", help="made by `byline provenance export`")
    parser.add_argument("--manifest", type=Path, metavar="C2PA", help="manifest store kept beside the file")
    parser.add_argument("--status", type=Path, metavar="LIST", help="signed list; else DIR/status.json")
    parser.add_argument("--registry", metavar="URL", help="ask this Byline site to look for its mark, too")
    parser.add_argument(
        "--resolver", metavar="URL", help="ask this C2PA Soft Binding Resolution API; it gets the file"
    )
    parser.add_argument("--crjson", action="store_true", help="print the file's crJSON; with --json, add it")
    parser.add_argument("--receipt", type=Path, metavar="OUT", help="write a signed receipt (.json or .pdf)")
    parser.add_argument(
        "--all-records",
        action="store_true",
        help="for operators: also unpublished clips and forged ids, which strangers never hear of",
    )


def run(args: argparse.Namespace) -> int:
    from byline.provenance import verifier

    asked = next((name for name in ("registry", "resolver") if getattr(args, name)), None)
    if args.offline and asked:
        raise InvalidInput(f"--offline and --{asked} contradict each other", help="Leave one of them out.")
    if args.receipt and args.receipt.suffix not in (".json", ".pdf"):
        raise InvalidInput("a receipt is a .json or a .pdf file", help="For example --receipt receipt.pdf")
    if not args.file.is_file():
        raise InvalidInput(f"no file at {args.file}", help="Give the path of one media file.")
    trust = trust_of(args)
    if args.crjson and not args.json:
        from byline.provenance.crjson import crjson

        sys.stdout.write(json.dumps(crjson(args.file, trust, _sidecar(args)), indent=2) + "\n")
        return 0
    records, status = records_of(args, trust)
    report = verifier.verify(
        args.file,
        trust=trust,
        records=records,
        status=status,
        sidecar=_sidecar(args),
        offline=args.offline,
        tell_all=args.all_records,
    )
    if args.registry:
        from byline.platform.registry_client import ask

        report = ask(args.registry, args.file, report, trust)
    if args.resolver:
        from byline.platform.registry_client import resolve

        report = resolve(args.resolver, args.file, report, trust)
    said = report.as_dict() | ({"crjson": _crjson_or_none(args.file, trust)} if args.crjson else {})
    sys.stdout.write(json.dumps(said, indent=2) if args.json else "\n".join(report.lines()))
    sys.stdout.write("\n")
    if args.receipt:
        _write_receipt(args, report.as_dict())
    return int(report.exit_code)


def _crjson_or_none(file: Path, trust: "TrustBundle") -> dict[str, Any] | None:
    from byline.provenance.crjson import NoManifest, crjson

    try:
        return crjson(file, trust)
    except NoManifest:
        return None


def _sidecar(args: argparse.Namespace) -> bytes | None:
    from byline.provenance import verifier

    if args.manifest is None:
        return verifier.sidecar_of(args.file)
    if not args.manifest.is_file() or args.manifest.stat().st_size > verifier.MAX_SIDECAR:
        raise InvalidInput(
            f"no manifest store at {args.manifest}", help="Give a .c2pa file of at most 64 MiB."
        )
    return bytes(args.manifest.read_bytes())


def trust_of(args: argparse.Namespace) -> "TrustBundle":
    from byline.audit.base import keyring
    from byline.provenance.trust import TrustBundle

    if args.trust:
        if not args.trust.exists():
            raise InvalidInput(
                f"no trust bundle at {args.trust}", help="Export one with `byline trust export`."
            )
        return TrustBundle.load(args.trust)
    try:
        from byline.platform.cli.session import django_ready
    except ImportError as error:  # the verifier that an export carries belongs to no installation
        raise InvalidInput("no trust bundle was given", help="Add --trust trust.json.") from error
    django_ready()
    if keyring.path("c2pa_ca_cert").exists():
        return TrustBundle.from_installation()
    return TrustBundle.empty()


def records_of(
    args: argparse.Namespace, trust: "TrustBundle"
) -> tuple["RecordSource | None", "StatusSource | None"]:
    """Records and what became of them: an export's, or this installation's."""
    if args.records:
        from byline.provenance.records import DirectoryRecords

        if not args.records.is_dir():
            raise InvalidInput(
                f"no records at {args.records}", help="Make them with `byline provenance export`."
            )
        return DirectoryRecords(args.records), _status_list(args, trust)
    if args.offline:
        return None, _status_list(args, trust)
    from byline.platform.cli.session import database_if_running

    if not database_if_running():
        return None, _status_list(args, trust)
    from byline.platform.status import PublicationStatus
    from byline.provenance.records import DatabaseRecords

    return DatabaseRecords(published_only=not args.all_records), PublicationStatus()


def _status_list(args: argparse.Namespace, trust: "TrustBundle") -> "StatusSource | None":
    """A signed list: the one given, or that of the export. Without a key to check it, it is not used."""
    from byline.provenance.status import StatusList

    if args.status:
        if not trust.receipt_vkey:
            raise InvalidInput(
                "the trust bundle holds no key for status lists", help="Get a newer bundle from the newsroom."
            )
        return StatusList.load(args.status, trust.receipt_vkey)
    beside = args.records / "status.json" if args.records else None
    if beside is None or not beside.is_file() or not trust.receipt_vkey:
        return None
    return StatusList.load(beside, trust.receipt_vkey)


def _write_receipt(args: argparse.Namespace, report: dict[str, Any]) -> None:
    from byline.platform.cli.session import django_ready
    from byline.provenance import receipts

    django_ready()
    receipt = receipts.make_receipt(report, receipts.sha256_of(args.file), "command line")
    made = receipts.as_pdf(receipt) if args.receipt.suffix == ".pdf" else receipts.as_json(receipt)
    args.receipt.write_bytes(made)
