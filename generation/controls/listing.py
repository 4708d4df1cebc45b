"""What an installation offers, as plain values: for `byline controls` and GET /controls."""

from typing import Any

from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.generation import engines
from byline.generation.controls import fitting, fx, styles
from byline.generation.controls.registry import ASPECTS, CONTROLS
from byline.generation.inputs.roles import ROLES
from byline.generation.operations import OPERATIONS


def everything(engine: str = "") -> dict[str, Any]:
    """Operations, controls, styles, presets and engines. InvalidInput: the engine is not configured."""
    if engine and engine not in engines.names():
        raise InvalidInput("There is no such engine.", help=f"Engines: {', '.join(engines.names())}.")
    return {
        "operations": [
            {
                "name": name,
                "says": spec.says,
                "required": [one.replace("|", " or ") for one in spec.required],
                "optional": list(spec.optional),
                "options": list(spec.controls),
            }
            for name, spec in OPERATIONS.items()
        ],
        "inputs": [{"role": role, "kind": kind} for role, kind in ROLES.items()],
        "controls": [
            {"name": c.name, "takes": c.takes, "says": c.says, "where": c.where} for c in CONTROLS.values()
        ],
        "aspects": {name: f"{width}x{height}" for name, (width, height) in ASPECTS.items()},
        "styles": [{"name": name, "words": words} for name, words in styles.STYLES.items()],
        "fx": [
            {"name": p.name, "version": p.version, "says": p.says, "sha256": p.sha256}
            for p in fx.presets().values()
        ],
        "engines": [_engine(name) for name in engines.names() if engine in ("", name)],
    }


def _engine(name: str) -> dict[str, Any]:
    """An engine's own list, or why it is not known."""
    try:
        info = engines.load(name).info
    except ConfigurationError as error:
        return {"name": name, "unavailable": str(error), "help": error.help}
    known = fitting.heeded(info)
    return {
        "name": name,
        "model": info.name,
        "size": f"{info.width}x{info.height}",
        "frames": info.frames,
        "fps": info.fps,
        "operations": [str(operation) for operation in info.operations],
        "controls": {c.name: _by(c.name, c.where, known, info) for c in CONTROLS.values()},
        "loras": list(info.loras),
    }


def _by(name: str, where: str, known: frozenset[str], info: Any) -> str:
    """Who carries a control out with this engine."""
    if name == "camera":
        moves = ", ".join(info.camera_moves)
        return f"model ({moves}); frames" if moves else "frames"
    if name == "style":
        return "model, in words" if "prompt" in known else "refused"
    if where == "engine":
        return "model" if name in known and (name != "loras" or info.loras) else "refused"
    if where == "engine or frames":
        other = "container" if name == "fps" else "frames"
        return "model" if name in known else other
    return where
