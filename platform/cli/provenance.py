"""Write the operator's records, or calibrate forensic cues on labelled files.

export: detection keys, published manifests, fingerprints, status list, log and two verifiers, with
which everything published keeps verifying when this site is gone. It holds the watermark key: anyone
who has it can look for the mark and could also write it.
calibrate: DIR/real/<source>/ and DIR/fake/<source>/ with files whose origin you know; until it has
run, forensic cues are shown by `byline detect` but count nothing.
"""

import argparse
import sys
from pathlib import Path

HELP = "export records, calibrate forensic cues"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write the records of all published clips")
    export.add_argument("out", type=Path, metavar="DIR")
    calibrate = actions.add_parser("calibrate", help="measure forensic cues on labelled files")
    calibrate.add_argument("set", type=Path, metavar="DIR")


def run(args: argparse.Namespace) -> int:
    return _calibrate(args.set) if args.action == "calibrate" else _export(args)


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
