"""A moderation policy as data: which action follows which score, per profile, place, time and brand.

Promises: `load` returns a policy that is complete (every category of every profile has bands over
the whole of [0, 1], without gap or overlap, never softer at a higher score) or raises
PolicyInvalid naming the place. Scores are comparable across categories: 0.5 is the score that
about one benign text in a hundred reaches (byline.safety.heads). Hard rules block under every
policy, so a policy that would let category minors or intimate_imagery pass at score 1 is refused.
The digest in the version covers every file that decides: the policy, the one it extends, its
jurisdictions. The evaluation is policy_model.py, the sections about places, people, terms and
brands are policy_sections.py, the audited approval of a policy is activation.py.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import yaml

from byline.audit.base import conf
from byline.safety import policy_sections
from byline.safety.categories import CATEGORIES, REASONS
from byline.safety.policy_model import (
    ANYWHERE,
    STRENGTH,
    Band,
    Circumstances,
    Clause,
    Decision,
    Policy,
    PolicyInvalid,
    Profile,
    UnknownProfile,
)
from byline.safety.policy_sections import expect_keys

__all__ = [
    "ANYWHERE",
    "SHIPPED",
    "STRENGTH",
    "Circumstances",
    "Decision",
    "Policy",
    "PolicyInvalid",
    "UnknownProfile",
    "configured_path",
    "load",
    "parse",
]

SHIPPED = Path(__file__).parent / "policies" / "default.yaml"
_MAX_FILE_BYTES = 4 << 20
_NEVER_OPEN = ("minors", "intimate_imagery")
# What is made can be looked at by people; that a text was not moderated is excused by nothing.
_EXCUSABLE = re.compile(r"output\.[a-z_]+")
_SECTIONS = {"jurisdictions", "elections", "no_go_people", "terms", "brands"}


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a repeated key is an error: the later one would win silently."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    repeated = {str(key) for key in keys if keys.count(key) > 1}
    if repeated:
        raise PolicyInvalid(f"key {sorted(repeated)} stands twice in one mapping")
    return cast(dict[Any, Any], loader.construct_mapping(node, deep=True))


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def configured_path() -> Path:
    """The file that is in force: the setting POLICY_FILE, or the shipped policy."""
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        return SHIPPED
    return Path(conf.get("POLICY_FILE") or SHIPPED)


def load(path: Path | None = None) -> Policy:
    """Read and validate a policy file; without a path the one in force.

    Every file is read anew, so that a changed one is noticed; what it says is parsed once per
    content. Raises PolicyInvalid for one that is missing, unreadable, incomplete or contradictory.
    """
    file = Path(path or configured_path())
    data = _read(file)
    raw = _yaml(data, str(file))
    parts = {"policy": data}
    if isinstance(raw, dict) and "extends" in raw:
        if raw["extends"] != "shipped":
            raise PolicyInvalid("extends: only the policy that comes with Byline can be extended: shipped")
        parts["shipped"] = _read(SHIPPED)
    for name in policy_sections.jurisdiction_names(raw):
        parts[f"jurisdiction {name}"] = _read(policy_sections.jurisdiction_file(name, file.parent))
    return _parsed(tuple(sorted(parts.items())))


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise PolicyInvalid(f"the policy file {file} is larger than {_MAX_FILE_BYTES} bytes")
        return file.read_bytes()
    except OSError as error:
        raise PolicyInvalid(f"cannot read the policy file {file}") from error


@functools.lru_cache(maxsize=64)
def _parsed_yaml(data: bytes) -> Any:
    return yaml.load(data, Loader=_StrictLoader)  # noqa: S506  a SafeLoader subclass


def _yaml(data: bytes, where: str) -> Any:
    """Parsed YAML, shared between calls: read it, never change it."""
    try:
        return _parsed_yaml(data)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise PolicyInvalid(f"the policy file {where} is not valid YAML") from error


@functools.lru_cache(maxsize=16)
def _parsed(parts: tuple[tuple[str, bytes], ...]) -> Policy:
    files = dict(parts)
    raw = _yaml(files["policy"], "policy")
    digests = {role: hashlib.sha256(data).hexdigest() for role, data in files.items()}
    if "shipped" in files:
        raw = _extended(raw, _yaml(files["shipped"], "shipped"))
    places = {
        role.removeprefix("jurisdiction "): _yaml(data, role)
        for role, data in files.items()
        if role.startswith("jurisdiction ")
    }
    return parse(raw, _digest(digests), parts=digests, jurisdictions=places)


def _digest(parts: Mapping[str, str]) -> str:
    """One file: its SHA-256, as `sha256sum` prints it. Several: that of the sorted list of them."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    lines = "".join(f"{digest}  {role}\n" for role, digest in sorted(parts.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _extended(raw: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """`raw` over `base`: a clause or a profile of the same name is replaced as a whole."""
    own = {key: value for key, value in raw.items() if key != "extends"}
    for section in ("clauses", "profiles"):
        if section in own and isinstance(own[section], dict):
            own[section] = {**base[section], **own[section]}
    return {**base, **own}


def parse(
    raw: Any,
    sha256: str,
    *,
    parts: Mapping[str, str] | None = None,
    jurisdictions: Mapping[str, Any] | None = None,
) -> Policy:
    """Build a policy from parsed YAML. PolicyInvalid says what is wrong and where.

    `jurisdictions` maps the names of the section of that name to the parsed add-ons.
    """
    expect_keys(raw, "policy", {"version", "max_characters", "clauses", "profiles"}, _SECTIONS)
    known = {**CATEGORIES, **REASONS}
    clauses = {}
    expect_keys(raw["clauses"], "clauses", set(known))
    for category, entry in raw["clauses"].items():
        expect_keys(entry, f"clauses.{category}", {"number", "text", "help"})
        clauses[category] = Clause(**{k: str(v).strip() for k, v in entry.items()})
    if not isinstance(raw["profiles"], dict) or not raw["profiles"]:
        raise PolicyInvalid("profiles: at least one is needed")
    maximum = raw["max_characters"]
    if not isinstance(maximum, int) or not 100 <= maximum <= 200_000:
        raise PolicyInvalid("max_characters: an integer from 100 to 200000 is needed")
    profiles = {name: _profile(name, raw["profiles"]) for name in raw["profiles"]}
    return Policy(
        f"{raw['version']}+{sha256[:12]}",
        sha256,
        maximum,
        clauses,
        profiles,
        parts=parts or {"policy": sha256},
        **policy_sections.parse(raw, profiles, jurisdictions or {}),
    )


def _profile(name: str, entries: Mapping[str, Any]) -> Profile:
    chain: list[Mapping[str, Any]] = []
    seen: list[str] = []
    following: str | None = name
    while following is not None:
        if following in seen or following not in list(entries):
            raise PolicyInvalid(f"profiles.{name}: extends {following!r}, which is unknown or circular")
        seen.append(following)
        entry = entries[following]
        expect_keys(
            entry, f"profiles.{following}", set(), {"extends", "bands", "reasons", "may_be_unavailable"}
        )
        chain.insert(0, entry)
        following = entry.get("extends")
    bands: dict[str, tuple[Band, ...]] = {}
    reasons: dict[str, Any] = {}
    unavailable: list[str] = []
    for entry in chain:
        expect_keys(entry.get("bands") or {}, f"profiles.{name}.bands", set(), set(CATEGORIES))
        expect_keys(entry.get("reasons") or {}, f"profiles.{name}.reasons", set(), set(REASONS))
        for category, rows in (entry.get("bands") or {}).items():
            bands[category] = _bands(f"profiles.{name}.bands.{category}", rows)
        for reason, action in (entry.get("reasons") or {}).items():
            if action not in ["review", "block"]:
                raise PolicyInvalid(f"profiles.{name}.reasons.{reason}: review or block is needed")
            reasons[reason] = action
        unavailable = entry.get("may_be_unavailable", unavailable)
    missing = sorted((set(CATEGORIES) - set(bands)) | (set(REASONS) - set(reasons)))
    if missing:
        raise PolicyInvalid(f"profiles.{name}: no action for {', '.join(missing)}")
    for category in _NEVER_OPEN:
        if bands[category][-1].action != "block":
            raise PolicyInvalid(f"profiles.{name}.bands.{category}: the highest band must block")
    if not isinstance(unavailable, list) or not all(_EXCUSABLE.fullmatch(str(c)) for c in unavailable):
        raise PolicyInvalid(
            f"profiles.{name}.may_be_unavailable: a list of output checks is needed, such as output.speech"
        )
    return Profile(name, bands, reasons, frozenset(unavailable))


def _bands(where: str, rows: Any) -> tuple[Band, ...]:
    if not isinstance(rows, list) or not rows:
        raise PolicyInvalid(f"{where}: a list of [from, to, action] is needed")
    bands = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 3 or row[2] not in list(STRENGTH):
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
        if STRENGTH[upper.action] <= STRENGTH[lower.action]:
            raise PolicyInvalid(f"{where}: {upper.action!r} above {lower.action!r} is not stronger")
    return tuple(bands)
