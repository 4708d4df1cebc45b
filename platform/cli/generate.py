"""Make a clip from a prompt, and from files of your own, through every gate, and write it to a file.

Works through the same queues and workers as the CMS: those of a running `byline serve`, or
services started for this command alone. Exit codes: 0 written · 20 blocked by policy · 21 held for
a reviewer · 64 usage · 70 failed.
"""

import argparse
import json
import os
import shutil
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.platform.cli import wishes

HELP = "make a clip from a prompt"
BLOCKED, HELD, FAILED = 20, 21, 70
_EXIT = {"ready": 0, "published": 0, "rejected": BLOCKED, "held": HELD}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", metavar="PROMPT", help="what the clip shows")
    parser.add_argument("--voice-over", default="", metavar="TEXT", help="spoken and captioned")
    parser.add_argument("--language", metavar="TAG", help="of the voice-over")
    parser.add_argument("--voice", metavar="NAME", help="of the setting VOICES")
    parser.add_argument("--music", metavar="MOOD", help="a music bed: calm, bright, tense or sombre")
    parser.add_argument("--effects", metavar="NAMES", help='sound effects with commas between, or "auto"')
    parser.add_argument(
        "--loudness", type=float, metavar="LUFS", help="-16 (default) for the web, -23 broadcast"
    )
    wishes.arguments(parser)
    parser.add_argument("--title", default="", help="title on screen")
    parser.add_argument("--brand", default="byline", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep-prompt", metavar="REASON", help="do not balance unspecified people, and why")
    parser.add_argument(
        "--publish", action="store_true", help="publish it when ready: outsiders may then recover it"
    )
    parser.add_argument(
        "--inline", action="store_true", help="run all stages in this process, without workers"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what each stage did as JSON")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    from byline.audit.base import keyring
    from byline.platform.cli import setup

    if args.out.is_dir() or args.out.suffix.lower() != ".mp4":
        raise InvalidInput("--out must name an .mp4 file", help="For example --out clip.mp4")
    if not keyring.path("log_vkey").exists():
        setup.ensure()
    # The rows are read to the last line, so nothing is said after the services may have gone.
    with services(args.inline):
        requests, pairs = _make(args)
        if args.report:
            told = [describe(request) for request in requests]
            report = told[0] if len(told) == 1 else {"takes": told, "similarity": pairs}
            _write(args.report, json.dumps(report, indent=2).encode())
        outs = [args.out.with_stem(f"{args.out.stem}-{n}") for n in range(1, len(requests) + 1)]
        codes = list(map(finish, requests, outs if len(requests) > 1 else [args.out]))
    for pair in pairs:
        one, other = pair["takes"]
        alike = ", alike" if pair["alike"] else ""
        sys.stdout.write(f"takes {one} and {other}: similarity {pair['similarity']}{alike}\n")
    return max(codes)


def services(inline: bool) -> AbstractContextManager[Any]:
    """All services; or, inline, the database and a sealer, the rest being this process."""
    from byline.audit.base import conf
    from byline.platform import supervisor
    from byline.platform.cli import session

    return session.database_and_sealer() if inline else supervisor.running(conf.home())


def _make(args: argparse.Namespace) -> tuple[list[Any], list[dict[str, Any]]]:
    """The requests, one for each take, at rest; and how alike their clips are."""
    from byline.platform.cli.session import django_ready

    django_ready()
    from byline.generation import submit
    from byline.generation.controls import takes

    requester = f"cli:{os.environ.get('USER', 'unknown')}"
    requests = takes.ask(
        args.takes,
        prompt=args.prompt,
        voice_over=args.voice_over,
        negative_prompt=args.negative_prompt,
        title=args.title,
        brand=args.brand,
        seconds=args.seconds,
        seed=args.seed,
        debias=args.keep_prompt is None,
        debias_reason=args.keep_prompt or "",
        references=[],
        operation=args.operation,
        inputs=wishes.inputs(args, requester),
        options=wishes.options(args),
        requester=requester,
    )
    done = []
    for asked in requests:
        request = follow(asked, args.inline)
        if args.publish and request.state == "ready":
            submit.publish(request.pk, actor=request.requester)
            request.refresh_from_db()
        done.append(request)
    return done, takes.compared(done)


def follow(request: Any, inline: bool) -> Any:
    """Show its progress until it rests, working on it here when `inline`; the row as it then is."""
    from tqdm import tqdm

    from byline.generation import states, submit
    from byline.generation.models import GenerationRequest

    bar = tqdm(total=100, unit="%", bar_format="{desc:<24.24} {bar} {n:3.0f}% {elapsed}", disable=None)
    with bar:

        def show(fraction: float, stage: str, message: str = "") -> None:
            bar.set_description_str(stage or "waiting", refresh=False)
            bar.n = round(100 * fraction)
            bar.refresh()

        try:
            if inline:
                from byline.generation import runner

                runner.run_to_end(request.pk, on_progress=show)
            else:
                _poll(request, show)
        except KeyboardInterrupt:
            submit.cancel(request.pk, actor=request.requester)
            raise
    request = GenerationRequest.objects.get(pk=request.pk)
    if request.state not in states.AT_REST:
        raise RuntimeError("the pipeline stopped before an end")
    return request


def _poll(request: Any, show: Any) -> None:
    """Poll the job row, which is the truth, until it rests."""
    from byline.generation import states

    while request.state not in states.AT_REST:
        time.sleep(0.2)
        request.refresh_from_db()
        show(request.progress, request.stage or request.state)


def describe(request: Any) -> dict[str, Any]:
    """Each stage with its verdict, checks, evidence and seconds. No prompt, no key."""
    return {
        "id": str(request.pk),
        "state": request.state,
        "seconds": round(sum(run.seconds for run in request.runs.all()), 3),
        "error": request.error or None,
        "result": request.result,
        "stages": [
            {
                "stage": run.stage,
                "verdict": run.verdict,
                "seconds": round(run.seconds, 3),
                "checks": run.checks,
                "evidence": run.evidence,
            }
            for run in request.runs.filter(current=True)
        ],
    }


def finish(request: Any, out: Path) -> int:
    """Write the finished file, or say why there is none; the exit code."""
    code = _EXIT.get(request.state, FAILED)
    if code == 0:
        from byline.generation import store

        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.with_name(f".{out.name}.part")
        with store.read_path(request.file_sha256).open("rb") as source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        partial.replace(out)
        sys.stdout.write(f"{out}: {request.state}, sha256 {request.file_sha256}\n")
        checks = [check for run in request.runs.filter(current=True) for check in run.checks]
        absent = [(c["name"], c["detail"]) for c in checks if c["status"] == "unavailable"]
        for name, detail in dict.fromkeys(absent):  # each once, whatever the number of shots
            sys.stdout.write(f"  not checked: {name} ({detail})\n")
        return 0
    lines = [f"{request.state}: {request.error_message or 'no clip was made'} [{request.error_code}]"]
    if request.error_category:
        lines.append(f"  category: {request.error_category}")
    if request.error_clause:
        lines.append(f"  clause: {request.error_clause}")
    if request.error_help:
        lines.append(f"  {request.error_help}")
    lines += [f"  words: {', '.join(words)}" for words in _words_that_fired(request)]
    if code == HELD:
        lines.append(
            f"  Follow it as request {request.pk} in the CMS, or at /api/v1/generations/{request.pk}"
        )
    sys.stderr.write("\n".join(lines) + "\n")
    return code


def _words_that_fired(request: Any) -> list[list[str]]:
    """The author's own words that moderation stopped at; they are on this terminal already."""
    run = request.runs.filter(stage="moderate", current=True).first()
    return [item["words"] for item in run.produces.get("fired", []) if item["words"]] if run else []


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
