"""A regime's duties, each with what this site can show for it: one command, JSON and Markdown.

Promise: duties are data (`regimes/*.yaml`, each with its source); a status comes from live probes, or
says "by design" and names the test that holds it, or says that it is the operator's. Nothing here
says "compliant": that is a lawyer's word. Probes that fail say "not checked" with the error's name.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from byline.audit import serving
from byline.audit.base import keyring
from byline.audit.base.errors import BylineError, InvalidInput
from byline.platform.ledger import probes

NOT_CHECKED, BY_DESIGN, OPERATOR = "not checked", "by design", "operator's"
_WORST_FIRST = (probes.NOT_SHOWN, NOT_CHECKED, probes.NOTHING_YET, probes.SHOWN)
_FIELDS = {"id", "duty", "probes", "test", "operator"}


class UnknownRegime(InvalidInput):
    code = "unknown_regime"
    help = "See `byline audit compliance list`."


@dataclass(frozen=True)
class Unit:
    """One duty: `status`, the facts of its probes, the test behind it, what the operator must add."""

    id: str
    duty: str
    status: str
    evidence: dict[str, Any]
    test: str
    operator: str


@dataclass(frozen=True)
class Report:
    """`checkpoint` pins the log that the evidence came from; `made` is UTC."""

    regime: str
    title: str
    source: str
    made: str
    log: str
    checkpoint: str
    units: tuple[Unit, ...]

    def headline(self) -> str:
        """How many units have which status, the good ones first."""
        count = Counter(unit.status for unit in self.units)
        order = (probes.SHOWN, BY_DESIGN, OPERATOR, probes.NOTHING_YET, probes.NOT_SHOWN, NOT_CHECKED)
        return f"{len(self.units)} duties: " + ", ".join(f"{count[s]} {s}" for s in order if count[s])

    def markdown(self) -> str:
        """The report for a reader."""
        lines = [
            f"# {self.title}",
            "",
            f"Source: {self.source}. Made {self.made} from the log {self.log}.",
            f"{self.headline()}. This is evidence, not a legal opinion.",
            "",
            "| Duty | What it asks | Status | Evidence on this site | The operator's part |",
            "|---|---|---|---|---|",
        ]
        for unit in self.units:
            facts = "; ".join(f"{name}: {_short(item)}" for name, item in unit.evidence.items())
            shown = "; ".join(part for part in (facts, f"held by {unit.test}" if unit.test else "") if part)
            lines.append(
                f"| {unit.id} | {unit.duty} | {unit.status} | {shown or '-'} | {unit.operator or '-'} |"
            )
        return "\n".join([*lines, "", "Checkpoint:", "", "```", self.checkpoint.rstrip(), "```", ""])


@cache
def _regimes() -> dict[str, dict[str, Any]]:
    found = {}
    for file in sorted(files("byline.platform.ledger").joinpath("regimes").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            data = yaml.safe_load(file.read_text(encoding="utf-8"))
            for unit in data["units"]:
                if not {"id", "duty"} <= set(unit) <= _FIELDS or not set(unit) & {
                    "probes",
                    "test",
                    "operator",
                }:
                    raise ValueError(
                        f"{file.name}: unit {unit.get('id')} is not id, duty and what answers it"
                    )
            found[file.name.removesuffix(".yaml")] = data
    return found


def regimes() -> dict[str, str]:
    """Name -> title."""
    return {name: data["title"] for name, data in _regimes().items()}


def report(regime: str, now: datetime | None = None) -> Report:
    """Gather the evidence of one regime. UnknownRegime."""
    if regime not in _regimes():
        raise UnknownRegime(f"no regime {regime!r}")
    data, now = _regimes()[regime], now or datetime.now(UTC)
    wanted = dict.fromkeys(name for unit in data["units"] for name in unit.get("probes", ()))
    found = {name: _probe(name, now) for name in wanted}
    try:
        checkpoint = serving.checkpoint()
    except serving.NotServed:
        checkpoint = "the log is still empty"
    return Report(
        regime=regime,
        title=data["title"],
        source=data["source"],
        made=now.strftime("%Y-%m-%d %H:%M UTC"),
        log=keyring.read("log_vkey").decode().partition("+")[0],
        checkpoint=checkpoint,
        units=tuple(_unit(unit, found) for unit in data["units"]),
    )


def write(found: Report, directory: Path) -> None:
    """REGIME.md and REGIME.json in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{found.regime}.md").write_text(found.markdown(), encoding="utf-8")
    text = json.dumps(asdict(found), indent=2, ensure_ascii=False)
    (directory / f"{found.regime}.json").write_text(text + "\n", encoding="utf-8")


def _probe(name: str, now: datetime) -> probes.Evidence:
    try:
        return probes.PROBES[name](now)
    except (BylineError, OSError) as error:
        return probes.Evidence(NOT_CHECKED, {"error": type(error).__name__})


def _unit(unit: dict[str, Any], found: dict[str, probes.Evidence]) -> Unit:
    names = unit.get("probes", ())
    statuses = {found[name].status for name in names}
    fallback = BY_DESIGN if unit.get("test") else OPERATOR
    status = next((item for item in _WORST_FIRST if item in statuses), fallback)
    evidence = {name: dict(found[name].facts) for name in names}
    return Unit(unit["id"], unit["duty"], status, evidence, unit.get("test", ""), unit.get("operator", ""))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
