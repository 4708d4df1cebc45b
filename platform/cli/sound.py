"""Work on sound alone: hear a voice, measure and level, restore, extend, make music or an effect, draw it.

Nothing here is marked, signed or logged: only clips made by `byline generate` or in the CMS are. Recordings
are anybody's files and are decoded in a bounded process. `narration` keeps a recording, encrypted, for
requests that have the speaker's consent to it, and `forget` removes it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byline.audit.base.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np

HELP = "speak, measure, restore and draw sound"


def arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")

    def task(name: str, help: str, *, out: bool = True, file: bool = True) -> argparse.ArgumentParser:
        made = tasks.add_parser(name, help=help)
        if file:
            made.add_argument("file", type=Path, metavar="FILE")
        if out:
            made.add_argument("--out", type=Path, required=True, metavar="FILE")
        return made

    speak = task("speak", "read a text aloud, sentence by sentence, as WAV", file=False)
    speak.add_argument("text", metavar="TEXT")
    speak.add_argument("--voice", default="default", metavar="NAME", help="of the setting VOICES")
    speak.add_argument("--language", default="en-us", metavar="TAG")
    speak.add_argument("--rate", type=int, default=165, help="words a minute")
    speak.add_argument("--pitch", type=int, default=50, help="0 to 99")
    task("measure", "loudness, true peak and, over a minute of speech, voice drift", out=False)
    level = task("level", "bring to a loudness (EBU R 128), true peak at -1 dBTP or below")
    level.add_argument("--lufs", type=float, default=-16.0)
    mend = task("restore", "denoise, separate, restore, enhance; prints what each step did")
    mend.add_argument("--steps", default="denoise,restore,enhance", help="with commas between")
    mend.add_argument("--separator", default="", metavar="NAME", help="of the setting SEPARATORS")
    longer = task("extend", "go on without a click")
    longer.add_argument("--seconds", type=float, required=True)
    music = task("music", "a music bed", file=False)
    music.add_argument("mood", metavar="MOOD")
    effect = task("effect", "a sound effect", file=False)
    effect.add_argument("name", metavar="NAME")
    music.add_argument("--maker", default="default", metavar="NAME", help="of the setting MUSIC")
    for made in (music, effect):
        made.add_argument("--seconds", type=float, default=10.0)
        made.add_argument("--seed", type=int, default=0)
    task("picture", "waveform and spectrogram as PNG")
    task("narration", "keep a recording, encrypted; prints its SHA-256", out=False)
    forget = task("forget", "remove a kept recording", out=False, file=False)
    forget.add_argument("sha256")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    if args.task in ("narration", "forget"):
        return _narration(args)
    if args.task == "measure":
        return _measure(args.file)
    if args.task == "picture":
        from byline.generation.sound.pictures import picture

        samples, rate = _heard(args.file)
        args.out.write_bytes(picture(samples, rate, args.file.name))
        return 0
    from byline.generation.sound.files import write_wav

    samples, rate = _made(args)
    write_wav(args.out, samples, rate)
    sys.stdout.write(f"{args.out}: {len(samples) / rate:.1f} s\n")
    return 0


def _made(args: argparse.Namespace) -> "tuple[np.ndarray, int]":
    """What a task that writes a sound makes."""
    from byline.generation.sound import effects, extension, loudness, restoration, scoring
    from byline.generation.sound.base import MusicWish

    if args.task == "speak":
        return _spoken(args)
    if args.task == "music":
        piece = scoring.load(args.maker).compose(MusicWish(args.seconds, args.mood, args.seed))
        return piece.samples, piece.rate
    if args.task == "effect":
        if not 0.1 <= args.seconds <= 600:
            raise InvalidInput("an effect is 0.1 to 600 seconds long")
        return effects.make(args.name, args.seconds, args.seed), effects.RATE
    samples, rate = _heard(args.file)
    if args.task == "level":
        if not -40 <= args.lufs <= -9:
            raise InvalidInput("a loudness is between -40 and -9 LUFS")
        return loudness.normalise(samples, rate, args.lufs), rate
    if args.task == "extend":
        return extension.extend(samples, rate, args.seconds), rate
    steps = tuple(step.strip() for step in args.steps.split(",") if step.strip())
    restored, report = restoration.restore(samples, rate, steps=steps, separator=args.separator)
    for step in report:
        told = (
            f"{step.measure} {step.before:.1f} -> {step.after:.1f} {step.unit}" if step.applied else step.note
        )
        sys.stdout.write(f"{step.name:9s} {told}\n")
    return restored, rate


def _spoken(args: argparse.Namespace) -> "tuple[np.ndarray, int]":
    from byline.generation import voices
    from byline.generation.voices import sentences

    options = {"language": args.language, "rate": args.rate, "pitch": args.pitch}
    parts = []
    for sentence, part in sentences.stream(voices.load(args.voice), args.text, **options):
        parts.append(part)
        sys.stdout.write(f"{part.seconds:5.1f} s  {sentence}\n")
    whole = sentences.join(parts)
    return whole.samples, whole.rate


def _heard(path: Path) -> "tuple[np.ndarray, int]":
    """The sound of anybody's file."""
    from byline.generation.sound.files import NoSound
    from byline.provenance.decode import decode_untrusted

    if not path.is_file():
        raise InvalidInput(f"no file at {path}", help="Give the path of one sound or video file.")
    media = decode_untrusted(path)
    if media.samples is None:
        raise NoSound("there is no sound in the file")
    return media.samples, media.rate


def _measure(path: Path) -> int:
    from byline.generation.sound import drift, loudness, restoration

    samples, rate = _heard(path)
    found = loudness.measure(samples, rate)
    told: dict[str, Any] = {
        "seconds": round(len(samples) / rate, 2),
        "integrated_lufs": round(found.integrated, 2) if found.integrated > -200 else None,
        "true_peak_dbtp": round(found.true_peak, 2) if found.true_peak > -200 else None,
        "noise_floor_dbfs": round(restoration.noise_floor(samples, rate), 1),
        "damaged_samples": len(restoration.damaged(samples)),
    }
    try:
        told["voice_drift"] = round(drift.drift(samples, rate).ratio, 2)
    except InvalidInput as error:
        told["voice_drift"] = f"not measured: {error}"
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0


def _narration(args: argparse.Namespace) -> int:
    from byline.generation.sound import narration

    if args.task == "forget":
        gone = narration.forget(args.sha256)
        sys.stdout.write("removed\n" if gone else "there was no such recording\n")
        return 0
    if not args.file.is_file():
        raise InvalidInput(f"no file at {args.file}", help="Give the path of one recording.")
    digest, heard = narration.keep(args.file)
    sys.stdout.write(f"{digest}  {heard.seconds:.1f} s\n")
    return 0
