"""Models for a GPU: what the registry knows, what lies here, and how they compare. See docs/models.md."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

HELP = "list, pull, pin, check and compare models"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every model of the registry, and whether it is here")
    listing.add_argument("--operation", metavar="NAME", help="only those that do this, e.g. image_to_video")
    listing.add_argument("--commercial", action="store_true", help="only those whose licence allows business")
    show = actions.add_parser("show", help="all that is known about one model")
    show.add_argument("model", metavar="MODEL")
    pull = actions.add_parser("pull", help="bring a model here, checking every file")
    pull.add_argument("model", metavar="MODEL")
    pull.add_argument(
        "--revision", default="", metavar="COMMIT", help="full commit hash instead of the registry's"
    )
    pull.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="copy a folder, no network")
    pin = actions.add_parser("pin", help="say that the weights that lie here are those to run")
    pin.add_argument("model", metavar="MODEL")
    check = actions.add_parser("check", help="read every file again and compare it with the lock")
    check.add_argument("model", nargs="*", metavar="MODEL", help="default: all that lie here")
    actions.add_parser("presets", help="envelopes of known products, and the models that give them")
    compare = actions.add_parser("compare", help="render the fixed prompts and keep them side by side")
    compare.add_argument("engine", nargs="*", metavar="ENGINE", help="names in VIDEO_ENGINES; default: all")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    return int(_ACTIONS[args.action](args) or 0)


def _list(args: argparse.Namespace) -> None:
    from byline.audit.base.errors import InvalidInput
    from byline.generation.engines import registry
    from byline.generation.engines.base import Operation

    if args.operation and args.operation not in list(Operation):
        raise InvalidInput(
            f"there is no operation {args.operation!r}", help=f"Known: {', '.join(Operation)}."
        )
    _say(f"{'model':<29}{'here':<11}{'GiB':>5}  {'licence':<34}operations\n")
    for entry in sorted(registry.entries().values(), key=lambda entry: entry.id):
        if (args.operation and args.operation not in entry.operations) or (
            args.commercial and not entry.commercial
        ):
            continue
        operations = ", ".join(operation.value for operation in entry.operations)
        _say(f"{entry.id:<29}{_here(entry):<11}{entry.vram_gib:>5g}  {entry.licence[:32]:<34}{operations}\n")


def _here(entry: Any) -> str:
    from byline.audit.base.errors import ConfigurationError
    from byline.generation.engines import weights

    try:
        lock = weights.read_lock(entry)
    except ConfigurationError as error:
        return "-" if error.code == "missing_weights" else "damaged"
    return "pinned" if lock.pinned_by else "unpinned"


def _show(args: argparse.Namespace) -> None:
    from byline.generation.engines import registry, weights
    from byline.generation.engines.diffusion import rule, sizes

    entry = registry.entry(args.model)
    rows = {
        "repository": entry.repository,
        "revision": entry.revision,
        "family": entry.family_name,
        "licence": f"{entry.licence} ({entry.licence_url})",
        "commercial use": "allowed by the licence" if entry.commercial else "restricted, read the licence",
        "training data": entry.training_data,
        "operations": ", ".join(operation.value for operation in entry.operations),
        "sizes": sizes(entry),
        "frames": f"{rule(entry)}, by default {entry.frames.default} at {entry.fps:g} a second",
        "steps, guidance": f"{entry.steps}, {entry.guidance:g}",
        "parameters": entry.parameters,
        "GPU memory": f"{entry.vram_gib:g} GiB at {entry.dtype}: {entry.vram_source}",
        "LoRA": "yes" if entry.family.lora else "no",
        "notes": entry.notes or "-",
        "here": _here(entry),
    }
    if rows["here"] in ("pinned", "unpinned"):
        lock = weights.read_lock(entry)
        rows |= {
            "brought from": ", ".join(lock.sources.values()),
            "weights sha256": lock.digest(),
            "text encoder": weights.encoder_identity(entry, lock),
            "pinned by": lock.pinned_by or "nobody yet",
        }
    for name, value in rows.items():
        _say(f"{name:<16}{value}\n")


def _pull(args: argparse.Namespace) -> None:
    from byline.generation.engines import pulling, registry

    entry = registry.entry(args.model)
    _say(f"{entry.id}: {entry.licence}, {entry.licence_url}\n")

    def report(file: str, done: int, total: int) -> None:
        if not done:
            _say(f"  {file} ({_size(total)})\n")

    lock = pulling.pull(entry, revision=args.revision, source=args.source, report=report)
    _say(f"{len(lock.files)} files, {_size(sum(f.size for f in lock.files.values()))}, all checked\n")
    for source in lock.sources.values():
        _say(f"  {source}\n")
    if not lock.pinned_by:
        _say(f"Nobody has pinned this revision. Production runs it after: byline models pin {entry.id}\n")
    _say("Next: name it in VIDEO_ENGINES (docs/models.md), then: byline models compare\n")


def _pin(args: argparse.Namespace) -> None:
    from byline.generation.engines import registry, weights

    entry = registry.entry(args.model)
    lock = weights.pin(entry)
    _say(f"{entry.id} is pinned at {lock.revision}, weights sha256 {lock.digest()}\n")
    _say("For other machines, in a registry file of your own (MODEL_REGISTRY), beside the other keys:\n")
    _say(f"{entry.id}:\n  revision: {lock.revision if len(lock.revision) == 40 else 'unpinned'}\n  files:\n")
    for path, file in lock.files.items():
        _say(f"    {path}: {file.sha256}\n")


def _check(args: argparse.Namespace) -> int:
    from byline.audit.base.errors import ConfigurationError
    from byline.generation.engines import comparison, names, registry, weights

    known = registry.entries()
    chosen = [registry.entry(model) for model in args.model] or [e for e in known.values() if _here(e) != "-"]
    failed = 0
    for entry in chosen:
        try:
            lock = weights.verify(entry, full=True)
        except ConfigurationError as error:
            failed += 1
            _say(f"{entry.id}: {error} [{error.code}]\n  {error.help}\n")
        else:
            _say(f"{entry.id}: {len(lock.files)} files as locked, {_here(entry)}\n")
    if not chosen:
        _say("no models lie here\n")
    for name in names():
        try:
            compared = comparison.is_rendered(name)
        except ConfigurationError as error:
            failed += 1
            _say(f"engine {name}: {error} [{error.code}]\n  {error.help}\n")
        else:
            _say(f"engine {name}: {'compared' if compared else 'not compared in its present state'}\n")
    return 70 if failed else 0


def _presets(args: argparse.Namespace) -> None:
    from byline.generation.engines import presets, registry

    for preset in presets.presets().values():
        length = "any length" if preset.unlimited else f"{preset.seconds:g} s"
        offered = [word for word in ("extend", "camera", "motion") if getattr(preset, word)]
        elsewhere = f" (not the engine's: {', '.join(preset.elsewhere)})" if preset.elsewhere else ""
        _say(f"{preset.name:<16}{', '.join([preset.product, length, *offered])}{elsewhere}\n")
        for operation, model in preset.models.items():
            plan = presets.plan(registry.entry(model), preset.seconds)
            shots = " + ".join(map(str, plan.shots))
            _say(f"{'':<18}{operation.value:<16}{model:<22}{shots} frames, {plan.seconds:.1f} s\n")


def _compare(args: argparse.Namespace) -> None:
    from byline.generation.engines import comparison, names

    for name in args.engine or names():
        if comparison.is_rendered(name):
            _say(f"{name}: has its column already\n")
            continue
        column = comparison.render(name, partial(_progress, name))
        _say(f"{name}: {column.folder}\n")
    _say(f"{comparison.write_page()}\n")


def _progress(name: str, fraction: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{name}: {fraction:4.0%}" + ("\n" if fraction >= 1 else ""))


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


_ACTIONS = {
    "list": _list,
    "show": _show,
    "pull": _pull,
    "pin": _pin,
    "check": _check,
    "presets": _presets,
    "compare": _compare,
}
