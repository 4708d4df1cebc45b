"""`byline film produce`: from a brief to a finished film in a folder, verified at the end.

Writes film.mp4, contact-sheet.png, storyboard.json (as it was made), trust.json and report.json. The
verification is that of a stranger: a process of its own with an empty home, no database and no network.
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

UNVERIFIED = 1


def produce(args: argparse.Namespace) -> int:
    """Returns the exit code: of the request where no film came of it, 1 where it did not verify."""
    from byline.platform.cli import film, generate, session

    out: Path = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    clip = out / "film.mp4"
    clock = _Clock()
    with generate.services(args.inline):
        session.django_ready()
        from byline.generation import contact_sheet
        from byline.generation.films import authoring, steps
        from byline.generation.script.storyboard import dumps, parse

        clock.note("services")
        _say("1/5 script: drafted and edited" if args.storyboard else "1/5 script: drafted")
        made_of = film.begin(args)
        clock.note("script")
        _say("2/5 voice: every shot as long as its words")
        authoring.fit_voice(made_of.pk, actor=film.actor())
        clock.note("voice")
        _say("3/5 music and effects")
        scored = {name: getattr(args, name) for name in ("music", "effects") if getattr(args, name)}
        authoring.score(made_of.pk, actor=film.actor(), **scored)
        clock.note("music")
        film.say(made_of)
        _say("4/5 shots, screened, composed, marked, logged, signed, read back")
        row = generate.follow(steps.assemble(made_of.pk, actor=film.actor()), args.inline)
        clock.note("make")
        report = report_of(row) | {"steps_s": clock.seconds}
        write(out / "report.json", report)
        if code := generate.finish(row, clip):
            return code
        (out / "storyboard.json").write_text(dumps(parse(made_of.current.storyboard)), encoding="utf-8")
        contact_sheet.write(clip, out / "contact-sheet.png")
        clock.note("contact sheet")
        _byline("trust", "export", out / "trust.json")
    clock.note("stop")
    _say("5/5 verifying as a stranger: only the file and the bundle")
    verdict = _verify(clip, out / "trust.json")
    clock.note("verify")
    write(out / "report.json", report | {"verified": verdict})
    _say(f"   exit {verdict['exit']}: {verdict['summary']}")
    _say(
        f"{out}: film.mp4 contact-sheet.png storyboard.json report.json ({sum(clock.seconds.values()):.0f} s)"
    )
    return 0 if verdict["exit"] == 0 else UNVERIFIED


def report_of(row: Any) -> dict[str, Any]:
    """What each stage did and took, and which shots were made or taken up from what is kept. No prompt."""
    from byline.audit.models import Entry
    from byline.platform.cli import generate

    shots = Entry.objects.filter(kind="generation.shot", subject=row.subject).order_by("pk")
    return generate.describe(row) | {
        "film": str(row.film_id),
        "film_seconds": row.seconds,
        "shots": [{name: entry.payload[name] for name in ("shot", "source", "model")} for entry in shots],
    }


def write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2), encoding="utf-8")


class _Clock:
    """Seconds between notes, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def note(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name], self._last = round(now - self._last, 2), now


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _byline(*arguments: Any) -> None:
    subprocess.run([sys.executable, "-m", "byline.platform.cli", *map(str, arguments)], check=True)


def _verify(clip: Path, trust: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="byline-film-") as home:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("BYLINE_", "DATABASE_"))}
        environment |= {"BYLINE_HOME": home, "HOME": home}
        command = [sys.executable, "-m", "byline.platform.cli", "verify", str(clip)]
        done = subprocess.run(
            [*command, "--offline", "--json", "--trust", str(trust)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        summary = json.loads(done.stdout)["summary"]
    except (ValueError, KeyError):
        summary = done.stderr.strip() or "no answer"
    return {"exit": done.returncode, "summary": summary}
