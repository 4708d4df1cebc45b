"""Turn a brief, an article, a document, a web page or a CMS page into a storyboard that you can edit.

Nothing is generated and nothing leaves this machine. `check` judges every shot of an edited storyboard by the
policy, as the pipeline will when the shot is made. Exit codes: 0 written, or every shot may be made · 20 a
shot is blocked by policy · 21 a shot would be held for a reviewer · 64 usage.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from byline.audit.base.errors import InvalidInput

if TYPE_CHECKING:
    from byline.generation.script.documents import Document

HELP = "draft, fit and check a storyboard"
BLOCKED, HELD = 20, 21


def arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    draft = tasks.add_parser("draft", help="write a storyboard from a text")
    source = draft.add_mutually_exclusive_group(required=True)
    source.add_argument("--brief", metavar="TEXT", help="one to three sentences")
    source.add_argument(
        "--file", type=Path, metavar="FILE", help=".txt, .md, .docx, .srt or .html; - for input"
    )
    source.add_argument("--url", metavar="URL", help="an https page")
    source.add_argument("--page", type=int, metavar="NUMBER", help="a page of this site's CMS")
    draft.add_argument("--seconds", type=float, help="length of the film; without it, nothing is left out")
    draft.add_argument("--language", default="", metavar="TAG", help="guessed from the text when not given")
    draft.add_argument("--style", default="", metavar="TEXT", help="added to what is seen in every shot")
    draft.add_argument("--writer", default="default", metavar="NAME", help="of the setting SCRIPT_WRITERS")
    draft.add_argument(
        "--voice", default="", metavar="NAME", help="time the shots with this voice, e.g. default"
    )
    draft.add_argument("--out", type=Path, metavar="FILE", help="the storyboard (default: standard output)")
    check = tasks.add_parser("check", help="judge every shot of a storyboard by the policy")
    check.add_argument("file", type=Path, metavar="STORYBOARD")
    check.add_argument("--profile", default="", help="policy profile (default: the installation's)")
    tasks.add_parser("schema", help="print the JSON schema of storyboards")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    if args.task == "schema":
        from byline.generation.script.storyboard import SCHEMA

        sys.stdout.write(json.dumps(SCHEMA, indent=2) + "\n")
        return 0
    return _check(args) if args.task == "check" else _draft(args)


def _draft(args: argparse.Namespace) -> int:
    from byline.generation import script
    from byline.generation.script import timing
    from byline.generation.script.base import Wish
    from byline.generation.script.storyboard import dumps

    wish = Wish(seconds=args.seconds, language=args.language, style=args.style)
    storyboard = script.draft(_document(args), wish, writer=args.writer)
    if args.voice:
        storyboard = timing.fit(storyboard, args.voice)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(dumps(storyboard), encoding="utf-8")
        used = storyboard.source
        lines = [f"{args.out}: {len(storyboard.shots)} shots, {storyboard.seconds:.1f} s"]
        if used and used.used:
            lines.append(f"  {used.used} of the source's {used.sentences} sentences are spoken")
        if storyboard.writer and storyboard.writer.fallback:
            lines.append(f"  written by the embedded writer, because {storyboard.writer.fallback}")
        sys.stdout.write("\n".join(lines) + "\n")
    else:
        sys.stdout.write(dumps(storyboard))
    return 0


def _document(args: argparse.Namespace) -> "Document":
    from byline.generation.script import documents

    if args.brief is not None:
        return documents.brief(args.brief)
    if args.page is not None:
        from byline.platform.cli import session
        from byline.platform.cms.script_source import document_of

        with session.database():
            return document_of(args.page)
    if args.url is not None:
        return fetched(args.url, hosts=("*",))
    if str(args.file) == "-":
        return documents.from_text(sys.stdin.read())
    if not args.file.is_file():
        raise InvalidInput(
            f"no file at {args.file}", help="Give the path of one text, .docx, .srt or .html file."
        )
    return documents.read(args.file)


def fetched(url: str, *, hosts: tuple[str, ...]) -> "Document":
    """The page at an address, by the one guarded fetcher: https, public hosts among `hosts`, bounded."""
    from byline.generation.script import documents
    from byline.platform import fetching

    with tempfile.NamedTemporaryFile(prefix="byline-page-") as page:
        rules = fetching.Rules(hosts=hosts, max_bytes=documents.MAX_BYTES)
        answer = fetching.fetch(
            url, rules, cast(BinaryIO, page), headers={"Accept": "text/html, text/plain;q=0.8"}
        )
        kind = {"text/html": "html", "application/xhtml+xml": "html", "text/plain": "text"}.get(
            answer.content_type
        )
        if kind is None:
            raise documents.DocumentRefused(
                "the address leads to no web page", help="Give the address of a page."
            )
        _, _, charset = answer.headers.get("content-type", "").lower().partition("charset=")
        plain = charset.strip("\"' ;").partition(";")[0]
        return documents.read(Path(page.name), kind=kind, charset=plain[:40], address=answer.url)


def _check(args: argparse.Namespace) -> int:
    from byline.audit.base import conf
    from byline.generation.script.storyboard import loads
    from byline.safety import policy
    from byline.safety.moderation import moderate

    if not args.file.is_file():
        raise InvalidInput(f"no file at {args.file}", help="Give the path of a storyboard.")
    storyboard = loads(args.file.read_bytes())
    chosen, profile = policy.load(), args.profile or conf.get("PROFILE")
    worst = 0
    whole: dict[str, str] = {}
    parts: list[tuple[str, dict[str, str]]] = []
    for number, shot in enumerate(storyboard.shots, start=1):
        texts = {"prompt": shot.visual, "voice_over": shot.audio, "title": shot.title}
        parts.append((f"{number:3d}", texts))
        whole |= {f"{name}.{number}": text for name, text in texts.items()}
    # What is cut over several shots is seen only when they are read together.
    for label, texts in [*parts, ("all", whole)]:
        found: Any = moderate(texts, chosen, profile)
        worst = max(worst, policy.STRENGTH[found.action])
        why = f": {found.category}, {found.clause}" if found.action != "allow" else ""
        sys.stdout.write(f"{label}  {found.action}{why}\n")
    return (0, HELD, BLOCKED)[worst]
