"""The main job on real input, then a stranger's view of it.

Makes a branded clip with voice-over, captions and label (clip.mp4, contact-sheet.png, report.json),
stops everything, and verifies four files in separate processes with an empty home, no database and
no network use: the original, a re-encoded stripped copy, a copy with one flipped bit and a copy
re-signed by a stranger. Ends 0 only if all four verdicts are right.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HELP = "make a clip and verify it as a stranger would"
PROMPT = "a red ball moves left over the sea"
VOICE_OVER = "The tide comes in tonight. Move your boat to the upper harbour before ten o'clock."
TITLE = "High tide tonight"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR")


def run(args: argparse.Namespace) -> int:
    from byline.audit.base import conf
    from byline.platform import supervisor
    from byline.platform.cli import setup

    out: Path = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    clip = out / "clip.mp4"
    started = time.monotonic()
    _say("1/4 setting up keys, database and tables")
    setup.ensure()
    ready = time.monotonic()

    _say(f"2/4 making {clip.name}: “{PROMPT}”")
    _byline("generate", PROMPT, "--voice-over", VOICE_OVER, "--title", TITLE, "--brand", "demo-news",
            "--seconds", "8", "--seed", "7", "--publish", "--report", out / "report.json",
            "--out", clip)  # fmt: skip
    _contact_sheet(clip, out / "contact-sheet.png")
    made = time.monotonic()

    _say("3/4 exporting what an outsider needs, and making the three altered copies")
    with tempfile.TemporaryDirectory(prefix="byline-demo-") as scratch:
        work = Path(scratch)
        _byline("trust", "export", out / "trust.json")
        _byline("provenance", "export", work / "records")
        copies = {
            "original": (clip, 0),
            "re-encoded, stripped": (_reencoded(clip, work / "reencoded.mp4"), 12),
            "one bit flipped": (_flipped(clip, work / "flipped.mp4"), 10),
            "re-signed by a stranger": (_resigned(clip, work), 11),
        }
        supervisor.wait_until_stopped(conf.home())
        _say("4/4 verifying as a stranger: empty home, no database, only files, bundle and records")
        rows = [_verify(name, file, code, out / "trust.json", work) for name, (file, code) in copies.items()]
    done = time.monotonic()
    report = json.loads((out / "report.json").read_text())
    report["demo"] = {
        "set_up_s": round(ready - started, 2),
        "make_s": round(made - ready, 2),
        "verify_s": round(done - made, 2),
        "work_s": round(done - ready, 2),
        "verdicts": rows,
    }
    (out / "report.json").write_text(json.dumps(report, indent=2))
    for row in rows:
        right = "ok   " if row["exit"] == row["expected"] else "WRONG"
        _say(f"   {right} {row['file']:<24} exit {row['exit']:>2}: {row['summary']}")
    _say(f"{clip}  contact-sheet.png  report.json  ({report['demo']['work_s']:.0f} s of work)")
    return 0 if all(row["exit"] == row["expected"] for row in rows) else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _byline(*arguments: Any) -> None:
    command = [sys.executable, "-m", "byline.platform.cli", *map(str, arguments)]
    result = subprocess.run(command, check=False)
    if result.returncode:
        raise SystemExit(result.returncode)


def _contact_sheet(clip: Path, picture: Path) -> None:
    from byline.generation import contact_sheet

    contact_sheet.write(clip, picture)


def _reencoded(clip: Path, copy: Path) -> Path:
    """What a platform does: decode, encode at CRF 28, keep nothing of the metadata."""
    import av

    with av.open(str(clip)) as source, av.open(str(copy), "w", format="mp4") as target:
        picture = source.streams.video[0]
        stream = target.add_stream("libx264", rate=picture.average_rate)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
        stream.options = {"crf": "28", "preset": "veryfast"}
        for frame in source.decode(picture):
            target.mux(stream.encode(frame.reformat(format="yuv420p")))
        target.mux(stream.encode(None))
    return copy


def _flipped(clip: Path, copy: Path) -> Path:
    """One bit of the picture data."""
    data = bytearray(clip.read_bytes())
    data[data.rindex(b"mdat") + 5000] ^= 1
    copy.write_bytes(data)
    return copy


def _resigned(clip: Path, work: Path) -> Path:
    """A stranger with a certificate authority of their own signs our bytes again."""
    copy = work / "resigned.mp4"
    environment = {**os.environ, "BYLINE_HOME": str(work / "stranger")}
    code = (
        "import sys; from byline.platform.cli.demo import sign_as_stranger; sign_as_stranger(*sys.argv[1:])"
    )
    subprocess.run([sys.executable, "-c", code, str(clip), str(copy)], env=environment, check=True)
    return copy


def sign_as_stranger(source: str, destination: str) -> None:
    """Runs in a process of its own, whose home holds a stranger's keys."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
    from byline.audit.base import conf
    from byline.platform import keys
    from byline.platform.cli.session import django_ready
    from byline.provenance import signing

    keys.create(conf.home())
    django_ready()
    manifest = {
        "claim_generator_info": [{"name": "A stranger", "version": "1"}],
        "title": "Not made here",
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
                        }
                    ]
                },
            }
        ],
    }
    signing.sign_file(Path(source), Path(destination), manifest)


def _verify(name: str, file: Path, expected: int, trust: Path, work: Path) -> dict[str, Any]:
    home = work / "empty-home"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BYLINE_", "DATABASE_"))}
    environment |= {"BYLINE_HOME": str(home), "HOME": str(home)}
    result = subprocess.run(
        [sys.executable, "-m", "byline.platform.cli", "verify", str(file), "--offline", "--json",
         "--trust", str(trust), "--records", str(work / "records")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        summary = json.loads(result.stdout)["summary"]
    except (ValueError, KeyError):
        summary = result.stderr.strip() or "no answer"
    return {"file": name, "exit": result.returncode, "expected": expected, "summary": summary}
