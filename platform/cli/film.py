"""Make a film from a brief or a storyboard: draft, edit, retake shots, look at them, assemble, approve.

Each task is a step of the film that can be run again by itself; each is on the record with who ran it.
Shots that are finished are kept, sealed, until the film is published or refused, so a change costs one shot
and a film that was stopped goes on where it was. `produce` takes all steps in a row. Exit codes: 0 done ·
20 blocked by policy · 21 held for a reviewer · 64 usage · 70 failed.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput

HELP = "make a film from a brief or a storyboard"
_SOUND = ("voice", "rate", "pitch", "language", "music", "effects", "loudness")
_OPTIONS = (*_SOUND, "width", "height", "fps", "engine", "steps")


def arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    new = tasks.add_parser("new", help="begin a film")
    _source(new)
    _look(new)
    produce = tasks.add_parser("produce", help="all steps in a row, to a verified film")
    _source(produce)
    _look(produce)
    produce.add_argument("--inline", action="store_true", help="all stages in this process, without workers")
    produce.add_argument("--out", type=Path, required=True, metavar="DIR")
    tasks.add_parser("list", help="films of this installation")
    show = _of_film(tasks, "show", "how a film stands: storyboard, versions, steps")
    show.add_argument("--storyboard", type=Path, metavar="FILE", help="write the storyboard, to edit it")
    edit = _of_film(tasks, "edit", "give the storyboard in a new wording")
    edit.add_argument("storyboard", type=Path, metavar="STORYBOARD")
    edit.add_argument("--version", type=int, help="the version that you edited")
    draft = _of_film(tasks, "draft", "draft the storyboard again")
    draft.add_argument("--brief", default="", metavar="TEXT", help="another brief than before")
    draft.add_argument("--seconds", type=float)
    draft.add_argument("--writer", default="default", metavar="NAME", help="of the setting SCRIPT_WRITERS")
    retake = _of_film(tasks, "retake", "take a shot again with another seed")
    retake.add_argument("shot", type=int, metavar="SHOT")
    retake.add_argument("--seed", type=int)
    voice = _of_film(tasks, "voice", "choose the voice and make shots as long as their words")
    voice.add_argument("--voice", metavar="NAME", help="of the setting VOICES")
    voice.add_argument("--rate", type=int, help="words a minute")
    voice.add_argument("--pitch", type=int)
    voice.add_argument("--language", metavar="TAG")
    music = _of_film(tasks, "music", "choose music and effects")
    music.add_argument("--music", metavar="MOOD", help="calm, bright, tense or sombre; without it none")
    music.add_argument("--effects", metavar="NAMES", help='with commas between, or "auto"')
    make = _of_film(tasks, "make", "make the film, or some of its shots")
    make.add_argument("--shots", metavar="NUMBERS", help="only these, as a clip to look at, e.g. 2,5")
    make.add_argument("--inline", action="store_true", help="all stages in this process, without workers")
    make.add_argument("--report", type=Path, metavar="FILE", help="write what each stage did as JSON")
    make.add_argument("--out", type=Path, required=True, metavar="FILE")
    decide = _of_film(tasks, "decide", "approve or reject what a step made")
    decide.add_argument("step", metavar="STEP", help="script, shots, voice, music or assemble")
    decide.add_argument("decision", choices=("approve", "reject"))
    decide.add_argument("--reason", default="", metavar="TEXT")
    _of_film(tasks, "publish", "publish the assembled film, once it is approved")


def _of_film(tasks: Any, name: str, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = tasks.add_parser(name, help=words)
    parser.add_argument("film", metavar="FILM", help="its id")
    return parser


def _source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--brief", metavar="TEXT", help="one to three sentences")
    parser.add_argument("--file", type=Path, metavar="FILE", help=".txt, .md, .docx, .srt or .html")
    parser.add_argument("--storyboard", type=Path, metavar="FILE", help="given, or edited after the draft")
    parser.add_argument("--seconds", type=float, help="length of the draft")


def _look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--brand", default="", metavar="NAME")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--voice", metavar="NAME", help="of the setting VOICES")
    parser.add_argument("--rate", type=int, help="of the voice, words a minute")
    parser.add_argument("--music", metavar="MOOD", help="calm, bright, tense or sombre")
    parser.add_argument("--effects", metavar="NAMES", help='with commas between, or "auto"')
    parser.add_argument("--loudness", type=float, metavar="LUFS")
    for name in ("width", "height", "fps", "steps"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--engine", metavar="NAME", help="of the setting VIDEO_ENGINES")


def run(args: argparse.Namespace) -> int:
    from byline.audit.base import keyring
    from byline.platform.cli import film_produce, generate, session, setup

    if not keyring.path("log_vkey").exists():
        setup.ensure()
    if args.task == "produce":
        return film_produce.produce(args)
    if args.task == "make":
        if args.out.is_dir() or args.out.suffix.lower() != ".mp4":
            raise InvalidInput("--out must name an .mp4 file", help="For example --out film.mp4")
        with generate.services(args.inline):
            session.django_ready()
            return _make(args)
    with session.database():
        _TASKS[args.task](args)
    return 0


def actor() -> str:
    """Who is at this command line, as the log names them."""
    return f"cli:{os.environ.get('USER', 'unknown')}"


def begin(args: argparse.Namespace) -> Any:
    """The film of `new` and `produce`: drafted from a text, then edited, or of a given storyboard."""
    from byline.generation import script
    from byline.generation.films import authoring
    from byline.generation.script import documents
    from byline.generation.script.base import Wish

    if args.brief is not None and args.file is not None:
        raise InvalidInput("either --brief or --file", help="Both say what the film is about.")
    options = {name: value for name in _OPTIONS if (value := getattr(args, name, None)) is not None}
    chosen = {"owner": actor(), "brand": args.brand, "seed": args.seed, "options": options}
    edited = board(args.storyboard) if args.storyboard else None
    if args.brief is None and args.file is None:
        if edited is None:
            raise InvalidInput("a film needs a --brief, a --file or a --storyboard")
        return authoring.create(storyboard=edited, **chosen)
    if args.file is None:
        document = documents.brief(args.brief)
    elif args.file.is_file():
        document = documents.read(args.file)
    else:
        raise InvalidInput(f"no file at {args.file}", help="Give the path of one document.")
    drafted = script.draft(document, Wish(seconds=args.seconds))
    film = authoring.create(storyboard=drafted, brief=document.text, **chosen)
    if edited is not None:
        authoring.edit(film.pk, edited, actor=actor(), expected=1)
    return film


def board(path: Path) -> Any:
    from byline.generation.script.storyboard import loads

    if not path.is_file():
        raise InvalidInput(f"no file at {path}", help="Give the path of a storyboard.")
    return loads(path.read_bytes())


def say(film: Any) -> None:
    """How the film stands, for a terminal."""
    current = film.current
    seconds = sum(shot["seconds"] for shot in current.storyboard["shots"])
    lines = [
        f"{film.pk}  {current.storyboard['title']}",
        f"  version {current.number} ({current.change} by {current.actor}): "
        f"{len(current.seeds)} shots, {seconds:.1f} s",
    ]
    for step in film.steps.select_related("request"):
        who = step.decided_by or step.actor
        by = f" by {who}" if who and step.state != "open" else ""
        request = f"  request {step.request_id}" if step.request_id else ""
        lines.append(f"  {step.name:<9} {step.standing()}{by}{request}")
    sys.stdout.write("\n".join(lines) + "\n")


def _new(args: argparse.Namespace) -> None:
    say(begin(args))


def _list(args: argparse.Namespace) -> None:
    from byline.generation.films.rows import Film

    for film in Film.objects.all():
        current = film.current
        sys.stdout.write(f"{film.pk}  {film.owner}  v{current.number}  {current.storyboard['title']}\n")


def _show(args: argparse.Namespace) -> None:
    from byline.generation.films import authoring
    from byline.generation.script.storyboard import dumps, parse

    film = authoring.get(args.film)
    say(film)
    storyboard = parse(film.current.storyboard)
    if args.storyboard:
        args.storyboard.write_text(dumps(storyboard), encoding="utf-8")
    for number, (shot, seed) in enumerate(zip(storyboard.shots, film.current.seeds, strict=True), start=1):
        sys.stdout.write(f"  {number:3d}  {shot.seconds:5.1f} s  seed {seed}  {shot.title}\n")


def _edit(args: argparse.Namespace) -> None:
    from byline.generation.films import authoring

    say(authoring.edit(args.film, board(args.storyboard), actor=actor(), expected=args.version).film)


def _draft(args: argparse.Namespace) -> None:
    from byline.generation.films import authoring
    from byline.generation.script.base import Wish

    wish = Wish(seconds=args.seconds)
    say(authoring.redraft(args.film, actor=actor(), brief=args.brief, wish=wish, writer=args.writer).film)


def _retake(args: argparse.Namespace) -> None:
    from byline.generation.films import authoring

    say(authoring.retake(args.film, args.shot, actor=actor(), seed=args.seed).film)


def _voice(args: argparse.Namespace) -> None:
    from byline.generation.films import authoring

    wanted = {name: getattr(args, name) for name in ("voice", "rate", "pitch", "language")}
    say(authoring.fit_voice(args.film, actor=actor(), **wanted).film)


def _music(args: argparse.Namespace) -> None:
    from byline.generation.films import authoring

    say(authoring.score(args.film, actor=actor(), music=args.music, effects=args.effects))


def _decide(args: argparse.Namespace) -> None:
    from byline.generation.films import steps

    say(steps.decide(args.film, args.step, args.decision, actor=actor(), reason=args.reason).film)


def _publish(args: argparse.Namespace) -> None:
    from byline.generation import submit
    from byline.generation.films import authoring

    film = authoring.get(args.film)
    made = film.steps.get(name="assemble").request
    if made is None:
        raise submit.NotReady("The film is not assembled.", help="`byline film make` assembles it.")
    submit.publish(made.pk, actor=actor())
    say(film)


def _make(args: argparse.Namespace) -> int:
    from byline.generation.films import steps
    from byline.platform.cli import film_produce, generate

    if args.shots:
        asked = steps.render(args.film, actor=actor(), shots=_numbers(args.shots))
    else:
        asked = steps.assemble(args.film, actor=actor())
    made = generate.follow(asked, args.inline)
    if args.report:
        film_produce.write(args.report, film_produce.report_of(made))
    return generate.finish(made, args.out)


def _numbers(text: str) -> Sequence[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InvalidInput("--shots are numbers with commas between", help="For example 2,5.") from error


_TASKS: dict[str, Callable[[argparse.Namespace], None]] = {
    "new": _new,
    "list": _list,
    "show": _show,
    "edit": _edit,
    "draft": _draft,
    "retake": _retake,
    "voice": _voice,
    "music": _music,
    "decide": _decide,
    "publish": _publish,
}
