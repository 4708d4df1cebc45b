"""Write the operator's records, make versions of a clip, or calibrate forensic cues on labelled files.

export: detection keys, published manifests, fingerprints, status list, log and two verifiers, with
which everything published keeps verifying when this site is gone. It holds the watermark key: anyone
who has it can look for the mark and could also write it.
calibrate: DIR/real/<source>/ and DIR/fake/<source>/ with files whose origin you know; until it has
run, forensic cues are shown by `byline detect` but count nothing.
rendition: a crop, size, poster frame or social format of a stored clip that keeps its provenance:
marked, signed with the clip as its parent, and logged.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HELP = "export records, make renditions, calibrate forensic cues"


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


def run(args: argparse.Namespace) -> int:
    if args.action == "calibrate":
        return _calibrate(args.set)
    return _rendition(args) if args.action == "rendition" else _export(args)


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
        from byline.provenance import manifest, reading, renditions
        from byline.provenance.marks.algorithms import ALGORITHMS, payload_of
        from byline.provenance.records import DatabaseRecords
        from byline.provenance.trust import TrustBundle

        records = DatabaseRecords(published_only=False)
        held = reading.read(args.file, TrustBundle.from_installation())
        declared = manifest.soft_bindings(held.assertions).items()
        marks = (payload_of(alg, value) for alg, value in declared if ALGORITHMS[alg].media == "video")
        mark = next(marks, None)
        record = records.by_mark(mark) if mark is not None else None
        if record is None:
            raise renditions.RenditionRefused("the file declares no mark that leads to a record of ours")
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


def _labelled(frame: Any) -> Any:
    from byline.generation import brands, compose
    from byline.generation.compose import overlays

    size = int(frame.shape[1]), int(frame.shape[0])
    overlays.label(compose.LABEL, brands.load(), size).draw(frame, 0.0)
    return frame


def _calibrate(folder: Path) -> int:
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

        models = calibrate(folder, (*detector.EXTRACTORS, *usable), progress=progress)
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
