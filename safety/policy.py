"""A moderation policy as data: which action follows which score, per profile and category.

Promises: `load` returns a policy that is complete (every category of every profile has bands over
the whole of [0, 1], without gap or overlap, never softer at a higher score) or raises
PolicyInvalid naming the place. Scores are comparable across categories: 0.5 is the score that
about one benign text in a hundred reaches (byline.safety.heads). Hard rules block under every
policy, so a policy that would let category minors or intimate_imagery pass at score 1 is refused.
Leaves out jurisdictions and election periods; they come with the policy editor.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import yaml

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.safety.categories import CATEGORIES, REASONS
from byline.safety.checks import Action

SHIPPED = Path(__file__).parent / "policies" / "default.yaml"
_STRENGTH: dict[str, int] = {"allow": 0, "review": 1, "block": 2}
_NEVER_OPEN = ("minors", "intimate_imagery")


class PolicyInvalid(ConfigurationError):
    code = "policy_invalid"
    help = "Correct the policy file (setting POLICY_FILE); the message names the profile and the key."


class UnknownProfile(InvalidInput):
    code = "unknown_profile"
    help = "Use one of the profiles of the policy file, or add the profile to it."


@dataclass(frozen=True)
class Band:
    """Scores from `low` (included) to `high` (excluded, but 1.0 belongs to the last band)."""

    low: float
    high: float
    action: Action


@dataclass(frozen=True)
class Clause:
    """What the policy says, in the words shown to the author, and what they can do."""

    number: str
    text: str
    help: str


@dataclass(frozen=True)
class Profile:
    name: str
    bands: Mapping[str, tuple[Band, ...]]
    reasons: Mapping[str, Action]
    may_be_unavailable: frozenset[str]


@dataclass(frozen=True)
class Policy:
    version: str
    sha256: str
    max_characters: int
    clauses: Mapping[str, Clause]
    profiles: Mapping[str, Profile]

    def profile(self, name: str) -> Profile:
        """UnknownProfile if the policy has none of that name."""
        try:
            return self.profiles[name]
        except KeyError as error:
            known = ", ".join(sorted(self.profiles))
            raise UnknownProfile(f"no profile {name!r} in policy {self.version} (it has {known})") from error

    def decide(self, profile: str, category: str, score: float) -> Action:
        """The action for a score in [0, 1] of one category (or the fixed action of a reason)."""
        chosen = self.profile(profile)
        if category in chosen.reasons:
            return chosen.reasons[category]
        bands = chosen.bands[category]
        return next((b.action for b in bands if score < b.high), bands[-1].action)

    def review_from(self, profile: str, category: str) -> float:
        """The lowest score of a category that is not simply allowed; above 1 when all of it is."""
        bands = self.profile(profile).bands[category]
        return next((b.low for b in bands if b.action != "allow"), 1.01)

    def may_be_unavailable(self, profile: str, check_name: str) -> bool:
        """Whether a job may go on when this check could not run ("not checked")."""
        return check_name in self.profile(profile).may_be_unavailable

    def clause(self, category: str) -> str:
        """ "number text" of the clause of a category or reason."""
        clause = self.clauses[category]
        return f"{clause.number} {clause.text}"


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a repeated key is an error: the later one would win silently."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    repeated = {key for key in keys if keys.count(key) > 1}
    if repeated:
        raise PolicyInvalid(f"key {sorted(map(str, repeated))} stands twice in one mapping")
    return cast(dict[Any, Any], loader.construct_mapping(node, deep=True))


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: Path | None = None) -> Policy:
    """Read and validate a policy file; without a path the configured one (POLICY_FILE) or the shipped one.

    Raises PolicyInvalid for a file that is missing, unreadable, incomplete or contradictory.
    """
    file = path or _configured() or SHIPPED
    try:
        data = Path(file).read_bytes()
        raw = yaml.load(data, Loader=_StrictLoader)  # noqa: S506  a SafeLoader subclass
    except OSError as error:
        raise PolicyInvalid(f"cannot read the policy file {file}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"the policy file {file} is not valid YAML") from error
    return parse(raw, hashlib.sha256(data).hexdigest())


def _configured() -> Path | None:
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        return None
    return cast("Path | None", conf.get("POLICY_FILE"))


def parse(raw: Any, sha256: str) -> Policy:
    """Build a policy from parsed YAML. PolicyInvalid says what is wrong and where."""
    _keys(raw, "policy", {"version", "max_characters", "clauses", "profiles"})
    known = {**CATEGORIES, **REASONS}
    clauses = {}
    _keys(raw["clauses"], "clauses", set(known))
    for category, entry in raw["clauses"].items():
        _keys(entry, f"clauses.{category}", {"number", "text", "help"})
        clauses[category] = Clause(**{k: str(v).strip() for k, v in entry.items()})
    if not isinstance(raw["profiles"], dict) or not raw["profiles"]:
        raise PolicyInvalid("profiles: at least one is needed")
    maximum = raw["max_characters"]
    if not isinstance(maximum, int) or not 100 <= maximum <= 200_000:
        raise PolicyInvalid("max_characters: an integer from 100 to 200000 is needed")
    profiles = {name: _profile(name, raw["profiles"]) for name in raw["profiles"]}
    return Policy(f"{raw['version']}+{sha256[:12]}", sha256, maximum, clauses, profiles)


def _profile(name: str, entries: Mapping[str, Any]) -> Profile:
    chain: list[Mapping[str, Any]] = []
    seen: list[str] = []
    following: str | None = name
    while following is not None:
        if following in seen or following not in entries:
            raise PolicyInvalid(f"profiles.{name}: extends {following!r}, which is unknown or circular")
        seen.append(following)
        entry = entries[following]
        _keys(entry, f"profiles.{following}", set(), {"extends", "bands", "reasons", "may_be_unavailable"})
        chain.insert(0, entry)
        following = entry.get("extends")
    bands: dict[str, tuple[Band, ...]] = {}
    reasons: dict[str, Action] = {}
    unavailable: list[str] = []
    for entry in chain:
        for category, rows in (entry.get("bands") or {}).items():
            if category not in CATEGORIES:
                raise PolicyInvalid(f"profiles.{name}.bands: unknown category {category!r}")
            bands[category] = _bands(f"profiles.{name}.bands.{category}", rows)
        for reason, action in (entry.get("reasons") or {}).items():
            if reason not in REASONS or action not in {"review", "block"}:
                raise PolicyInvalid(
                    f"profiles.{name}.reasons.{reason}: a known reason with review or block is needed"
                )
            reasons[reason] = action
        unavailable = entry.get("may_be_unavailable", unavailable)
    missing = sorted((set(CATEGORIES) - set(bands)) | (set(REASONS) - set(reasons)))
    if missing:
        raise PolicyInvalid(f"profiles.{name}: no action for {', '.join(missing)}")
    for category in _NEVER_OPEN:
        if bands[category][-1].action != "block":
            raise PolicyInvalid(f"profiles.{name}.bands.{category}: the highest band must block")
    if not isinstance(unavailable, list) or not all(isinstance(c, str) for c in unavailable):
        raise PolicyInvalid(f"profiles.{name}.may_be_unavailable: a list of check names is needed")
    return Profile(name, bands, reasons, frozenset(unavailable))


def _bands(where: str, rows: Any) -> tuple[Band, ...]:
    if not isinstance(rows, list) or not rows:
        raise PolicyInvalid(f"{where}: a list of [from, to, action] is needed")
    bands = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 3 or row[2] not in _STRENGTH:
            raise PolicyInvalid(f"{where}: {row!r} is not [from, to, allow | review | block]")
        low, high = (float(v) if isinstance(v, int | float) else -1.0 for v in row[:2])
        if not 0 <= low < high <= 1:
            raise PolicyInvalid(f"{where}: {row!r} is not a range within 0 and 1")
        bands.append(Band(low, high, row[2]))
    if bands[0].low != 0 or bands[-1].high != 1:
        raise PolicyInvalid(f"{where}: the bands must cover 0 to 1")
    for lower, upper in pairwise(bands):
        if lower.high != upper.low:
            kind = "overlap" if upper.low < lower.high else "leave a gap"
            raise PolicyInvalid(f"{where}: the bands {kind} between {lower.high} and {upper.low}")
        if _STRENGTH[upper.action] <= _STRENGTH[lower.action]:
            raise PolicyInvalid(f"{where}: {upper.action!r} above {lower.action!r} is not stronger")
    return tuple(bands)


def _keys(value: Any, where: str, required: set[str], optional: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    if not isinstance(value, dict):
        raise PolicyInvalid(f"{where}: a mapping is needed")
    missing, unknown = required - set(value), set(map(str, value)) - required - optional
    if missing or unknown:
        raise PolicyInvalid(f"{where}: missing {sorted(missing)}, unknown {sorted(unknown)}")
