"""List what a request can ask for: operations, controls, styles, FX presets, and what each engine does.

"model": the model does it; "frames": it is done to the finished frames and recorded so; "refused": a request
that asks for it is refused.
"""

import argparse
import json
import sys
from typing import Any

HELP = "list operations, controls and presets"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", default="", metavar="NAME", help="of the setting VIDEO_ENGINES")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    from byline.generation.controls import listing

    found = listing.everything(args.engine)
    if args.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(found)) + "\n")
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    lines = ["Operations (--operation)"]
    for one in found["operations"]:
        needs = f" Needs {', '.join(one['required'])}." if one["required"] else ""
        lines.append(f"  {one['name']:<20} {one['says']}{needs}")
    lines += ["", "Controls (--set NAME=VALUE)"]
    lines += [f"  {c['name']:<20} {c['says']} {c['takes']}" for c in found["controls"]]
    lines += ["", "FX presets"]
    lines += [f"  {p['name'] + '@' + str(p['version']):<20} {p['says']}" for p in found["fx"]]
    for engine in found["engines"]:
        lines += ["", f"Engine {engine['name']}: {engine.get('model', engine.get('unavailable'))}"]
        lines += [f"  {name:<20} {by}" for name, by in engine.get("controls", {}).items()]
    return lines
