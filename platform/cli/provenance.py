"""Write the operator's records, make versions of a clip, take in others' files, or calibrate forensic cues.

export: detection keys, published manifests, fingerprints, status list, log and two verifiers, with
which everything published keeps verifying when this site is gone. It holds the watermark key: anyone
who has it can look for the mark and could also write it.
calibrate: DIR/real/<source>/ and DIR/fake/<source>/ with files whose origin you know; until it has
run, forensic cues are shown by `byline detect` but count nothing.
rendition: a crop, size, poster frame or social format of a stored clip that keeps its provenance:
marked, signed with the clip as its parent, and logged.
receipt: a copy of a published clip whose manifest also holds what the log answered to its publication.
ingest: keep somebody else's file byte for byte and say what it brings along: credentials, AI labels.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HELP = "export records, make renditions, take in files, calibrate forensic cues"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write the records of all published clips")
    export.add_argument("out", type=Path, metavar="DIR")
    calibrate = actions.add_parser("calibrate", help="measure forensic cues on labelled files")
    calibrate.add_argument("set", type=Path, metavar="DIR")
    rendition = actions.add_parser("rendition", help="make a version of a stored clip")
    rendition.add_argument("file", type=Path, metavar="FILE")
    rendition.add_argument("--out", type=Path, required=True, help="an .mp4, or .jpg or .png for a poster")
    rendition.add_argument("--size", type=_numbers("x", 2), metavar="WxH")
    rendition.add_argument("--crop", type=_numbers(",", 4), metavar="X,Y,W,H", help="pixels of the clip")
    rendition.add_argument("--shape", choices=("vertical", "portrait", "square", "landscape"), default="")
    rendition.add_argument("--bars", action="store_true", help="keep the whole picture between bars")
    rendition.add_argument("--poster", type=float, default=0.0, metavar="SECONDS", help="which frame")
    rendition.add_argument("--label", action="store_true", help="draw the AI label anew, as after a crop")
    receipt = actions.add_parser("receipt", help="add the log's answer to a published clip")
    receipt.add_argument("file", type=Path, metavar="FILE")
    receipt.add_argument("--out", type=Path, required=True)
    ingest = actions.add_parser("ingest", help="take in a file that somebody else made")
    ingest.add_argument("file", type=Path, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    actions = {
        "export": _export,
        "calibrate": _calibrate,
        "rendition": _rendition,
        "receipt": _receipt,
        "ingest": _ingest,
    }
    return actions[args.action](args)


def _numbers(separator: str, count: int) -> Callable[[str], tuple[int, ...]]:
    """An argument of `count` whole numbers."""

    def parse(text: str) -> tuple[int, ...]:
        found = tuple(int(part) for part in text.lower().split(separator))
        if len(found) != count:
            raise ValueError(text)
        return found

    parse.__name__ = f"list of {count} numbers"
    return parse


def _rendition(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database_and_sealer

    with database_and_sealer():
        from byline.audit.base import conf
        from byline.provenance import renditions
        from byline.provenance.records import DatabaseRecords

        records = DatabaseRecords(published_only=False)
        record = _record_of(args.file, records)
        if record is None:
            raise renditions.RenditionRefused(_NO_RECORD)
        spec = renditions.RenditionSpec(args.size, args.crop, args.shape, args.bars, args.poster)
        made = renditions.make_rendition(
            args.file,
            spec,
            args.out,
            mark_keys=records.mark_keys,
            record=record,
            draw=_labelled if args.label else None,
            prove=renditions.log_and_prove("system:rendition", float(conf.get("PROOF_TIMEOUT_S"))),
        )
    sys.stdout.write(f"{made.path}: {made.size[0]}x{made.size[1]}, mark {made.mark}, sha256 {made.sha256}\n")
    for warning in made.warnings:
        sys.stderr.write(f"{warning}\n")
    return 0


_NO_RECORD = "the file declares no mark that leads to a record of ours"


def _record_of(file: Path, records: Any) -> Any:
    """The record that a file's manifest leads to by the picture mark it declares; None without one."""
    from byline.provenance import manifest, reading
    from byline.provenance.marks.algorithms import ALGORITHMS, payload_of
    from byline.provenance.trust import TrustBundle

    held = reading.read(file, TrustBundle.from_installation())
    declared = manifest.soft_bindings(held.assertions).items()
    marks = (payload_of(alg, value) for alg, value in declared if ALGORITHMS[alg].media == "video")
    mark = next(marks, None)
    return records.by_mark(mark) if mark is not None else None


def _receipt(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database_and_sealer

    with database_and_sealer():
        from byline.audit import log
        from byline.audit.base import conf
        from byline.audit.base.errors import InvalidInput
        from byline.audit.models import Entry
        from byline.provenance import signing
        from byline.provenance.records import DatabaseRecords

        record = _record_of(args.file, DatabaseRecords())
        entries = Entry.objects.filter(
            kind="generation.published", payload__record=record.id if record else ""
        )
        entry = entries.order_by("pk").last()
        if record is None or entry is None:
            raise InvalidInput("the file is no clip that was published here", help="Publish it first.")
        proof = log.wait(entry.pk, float(conf.get("PROOF_TIMEOUT_S")))
        answer = {"repository": conf.get("PUBLIC_BASE_URL"), "record": record.id, "proof": proof}
        signing.add_receipt(args.file, args.out, answer)
    sys.stdout.write(f"{args.out}: the log's answer of {entry.created.isoformat()} is in its manifest\n")
    return 0


def _ingest(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    from byline.provenance.ingest import ingest
    from byline.provenance.trust import TrustBundle

    found = ingest(args.file, TrustBundle.from_installation())
    shown = {
        "kept": str(found.path),
        "sha256": found.sha256,
        "format": found.mime,
        "credentials": found.status,
        "says_ai": found.says_ai,
        "declarations": [{"where": d.place, "says": d.says, "ai": d.by_ai} for d in found.declarations],
        "warnings": list(found.warnings),
    }
    sys.stdout.write(json.dumps(shown, indent=1, ensure_ascii=False) + "\n")
    return 0


def _labelled(frame: Any) -> Any:
    from byline.generation import brands, compose
    from byline.generation.compose import overlays

    size = int(frame.shape[1]), int(frame.shape[0])
    overlays.label(compose.LABEL, brands.load(), size).draw(frame, 0.0)
    return frame


def _calibrate(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    from tqdm import tqdm

    from byline.provenance.forensics import detector, settings
    from byline.provenance.forensics.base import Extractor
    from byline.provenance.forensics.calibration import calibrate

    usable = [item for item in settings.usable_classifiers() if isinstance(item, Extractor)]
    with tqdm(unit="file", desc="calibrate", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        models = calibrate(args.set, (*detector.EXTRACTORS, *usable), progress=progress)
    settings.calibration().with_models(models).save(settings.calibration_path())
    for model in models:
        found = model.rates()
        low, high = found["auc_95"]
        sys.stdout.write(
            f"{model.kind} {model.source}: AUC {found['auc']} (95 % {low} to {high}, over"
            f" {model.interval_over}), real called fake {found['real_called_fake']},"
            f" fake called real {found['fake_called_real']}, n = {model.n_real} + {model.n_fake},"
            f" set {model.calibration_set}\n"
        )
        if not model.useful:
            sys.stdout.write("  no better than chance on its own set: it counts nothing\n")
    return 0


def _export(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database

    with database():
        from byline.platform.status import PublicationStatus
        from byline.provenance.exporting import export

        count = export(args.out, PublicationStatus())
    sys.stdout.write(f"{args.out}: {count} record(s). Keep it private: it holds the detection keys\n")
    return 0
