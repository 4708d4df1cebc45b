"""`make bench-c2pa`: what signing, stamping and verifying cost, and whether tampering shows.

Times are wall-clock of one process over a 5 s 720p H.264 and AAC clip, made here; p95 of the runs after
two to warm up, with the fastest and slowest beside it. "Without a stamp" leaves the time-stamp request out
and reads back as always: the product never signs like that, the row shows what the stamp costs. `--quick`
has fewer runs and says so.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
import django

django.setup()
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import flips_kit  # noqa: E402
import numpy as np  # noqa: E402
import provenance_kit as kit  # noqa: E402
import rubrics_kit  # noqa: E402

from bench.results_file import Results  # noqa: E402
from byline.provenance import manifest, reading, signers, signing, verifier  # noqa: E402
from byline.provenance.trust import TrustBundle  # noqa: E402

WARM_UP = 2


def timed(work: Callable[[], Any], runs: int) -> list[float]:
    """Milliseconds of each run, sorted."""
    times = []
    for number in range(runs + WARM_UP):
        began = time.perf_counter()
        work()
        if number >= WARM_UP:
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)


def row(results: Results, metric: str, times: list[float], note: str = "", **more: Any) -> None:
    p95 = float(np.percentile(times, 95))
    note = f"p95 in ms, median {np.median(times):.1f}; {note}".rstrip("; ")
    results.add(metric, p95, n=len(times), low=times[0], high=times[-1], note=note, **more)


def clip(directory: Path) -> Path:
    frames = kit.pictures(1, count=120, size=(1280, 720))
    return kit.write_mp4(directory / "clip.mp4", frames, fps=24, samples=kit.speech_like(5.0), crf=28)


def without_stamp(source: Path, target: Path, built: dict[str, Any]) -> None:
    """As `signing.sign_file`, but for the request to the stamper."""
    import c2pa

    trust = TrustBundle.from_installation()
    settings = reading.context_settings(trust)
    settings["builder"]["bmff_hash_exclude_free_and_skip_boxes"] = False
    signer = signers.load()
    native = c2pa.Signer.from_callback(
        signers.callback(signer, []), c2pa.C2paSigningAlg.ES256, signer.chain_pem, None
    )
    with source.open("rb") as media, target.open("w+b") as output:
        builder = c2pa.Builder({**built, "format": "video/mp4"}, c2pa.Context.from_dict(settings))
        builder.sign(native, "video/mp4", media, output)
        output.flush()
        os.fsync(output.fileno())
    assert reading.read(target, trust).state == "Trusted"


def times(results: Results, directory: Path, runs: int) -> None:
    source, target = clip(directory), directory / "signed.mp4"
    built = manifest.build(rubrics_kit.facts(source, mark_id=7, audio_id=9))
    size = f"{source.stat().st_size / 1000:.0f} kB"
    row(
        results,
        "sign_p95_ms",
        timed(lambda: without_stamp(source, target, built), runs),
        f"{size}, with reading back",
    )
    stamped = timed(lambda: signing.sign_file(source, target, built), runs)
    row(results, "sign_tsa_p95_ms", stamped, "sign_file as the product calls it, own stamper")
    trust = TrustBundle.from_installation()
    assert reading.read(target, trust).state == "Trusted"
    row(
        results,
        "verify_p95_ms",
        timed(lambda: reading.read(target, trust), runs),
        "reading.read: manifest, hashes, chain, stamp",
    )


def everything(results: Results, directory: Path) -> dict[str, Path]:
    """Every kind that we sign, signed and verified by the service that the API and the page use."""
    files, trust = rubrics_kit.signed_files(directory), TrustBundle.from_installation()
    good = [name for name, path in files.items() if reading.read(path, trust).state == "Trusted"]
    proven = [
        name
        for name, path in files.items()
        if verifier.verify(path, trust=trust, records=None, offline=True).exit_code == 0
    ]
    note = f"{', '.join(files)}; with a log proof of their own (exit code 0): {', '.join(proven)}"
    results.add("signed_then_verified", len(good) / len(files), n=len(files), unit="share", note=note)
    return files


def rubrics(results: Results, files: dict[str, Path]) -> None:
    if why := rubrics_kit.missing():
        results.add("rubrics_passed", None, note=why)
        return
    ours = rubrics_kit.evaluate(files, TrustBundle.from_installation())
    rules = [rule for found in ours.values() for part in found.values() for rule in part]
    passed = sum(rule["passed"] for rule in rules)
    names = ", ".join(f"{name} {len(found)}" for name, found in next(iter(ours.values())).items())
    strangers = rubrics_kit.evaluate(files, TrustBundle.empty())
    lost = {
        rule["id"]
        for found in strangers.values()
        for part in found.values()
        for rule in part
        if not rule["passed"]
    }
    stranger = ", ".join(sorted(lost))
    note = f"rules x files ({names}; {len(files)} files) under our roots; a stranger fails {stranger}"
    results.add("rubrics_passed", passed / len(rules), n=len(rules), note=note)


def flips(results: Results, directory: Path, count: int) -> None:
    source, signed = (
        kit.write_mp4(directory / "f.mp4", kit.pictures(3, count=12, size=(128, 96))),
        directory / "s.mp4",
    )
    signing.sign_file(source, signed, manifest.build(rubrics_kit.facts(source, mark_id=7)))
    tallies = flips_kit.run(signed, directory / "x.mp4", TrustBundle.from_installation(), count=count, seed=2)
    sys.stdout.write(flips_kit.table(tallies) + "\n")
    counted = [tallies[name] for name in flips_kit.SIGNED if name in tallies]
    total, caught = sum(t.flips for t in counted), sum(t.caught for t in counted)
    seen_nowhere = ", ".join(sorted(name for name, tally in tallies.items() if tally.tolerated))
    note = f"of {count} flips over the whole file; unseen by design somewhere in: {seen_nowhere}"
    results.add("flips_caught_media", caught / total, n=total, note=note)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="10 runs and 200 flips: a look, no figure")
    quick = parser.parse_args().quick
    results = Results("c2pa", quick=quick)
    with tempfile.TemporaryDirectory() as name, kit.home(Path(name) / "home"):
        directory = Path(name)
        if not all(results.has(metric) for metric in ("sign_p95_ms", "sign_tsa_p95_ms", "verify_p95_ms")):
            times(results, directory, 10 if quick else 100)
        if not (results.has("signed_then_verified") and results.has("rubrics_passed")):
            rubrics(results, everything(results, directory))
        if not results.has("flips_caught_media"):
            flips(results, directory, 200 if quick else 1000)
    results.show()


if __name__ == "__main__":
    main()
