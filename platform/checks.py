"""System checks: a mistake in settings, keys or policy stops the start and says what to do.

Promises: an unknown name is an error, never ignored; development keys are refused while DEBUG is
off; the web process is told apart from those that sign. Nothing here prints a value that could be
secret. Plug-ins are checked by the rooms that load them.
"""

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from byline.audit.base import conf, keyring
from byline.audit.base.errors import BylineError, ConfigurationError
from byline.generation import brands
from byline.platform import environment, keys
from byline.provenance import profiles
from byline.safety import guards, policy
from byline.safety.fairness import attributes, classifiers

_Apps = Sequence[AppConfig] | None


@register(Tags.compatibility)
def check_setting_names(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E001, E002, E003: a name in BYLINE or the environment that means nothing, or a wrong type."""
    ours = getattr(settings, "BYLINE", {})
    for name in sorted(set(ours) - set(conf.DEFAULTS)):
        yield Error(
            f"BYLINE has no setting {name!r}.",
            hint=f"Known: {', '.join(sorted(conf.DEFAULTS))}.",
            id="byline.E001",
        )
    for name in environment.unknown_names():
        yield Error(
            f"The environment variable {name} means nothing to Byline.",
            hint="Correct its spelling or unset it.",
            id="byline.E002",
        )
    for name, default in conf.DEFAULTS.items():
        value = ours.get(name, default)
        number = isinstance(default, int | float) and not isinstance(default, bool)
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        # 0 means something only where it is the default.
        if number and not (plain and (value > 0 or value == default == 0)):
            yield Error(f"BYLINE[{name!r}] must be a positive number.", id="byline.E003")
        elif isinstance(default, dict) and not isinstance(value, dict):
            yield Error(f"BYLINE[{name!r}] must be a dictionary.", id="byline.E003")
        elif isinstance(default, tuple) and not (
            isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        ):
            yield Error(f"BYLINE[{name!r}] must be a list of texts.", id="byline.E003")


@register(Tags.compatibility)
def check_times(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E004: a lease that runs out between two heartbeats would let two workers do one job."""
    if conf.get("HEARTBEAT_S") >= conf.get("LEASE_S"):
        yield Error(
            "HEARTBEAT_S must be shorter than LEASE_S.",
            hint="A third of the lease leaves room for a slow disk.",
            id="byline.E004",
        )


@register(Tags.compatibility)
def check_policy_file(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E005: a policy file that is not there; E007: one that is incomplete or contradicts itself."""
    file = conf.get("POLICY_FILE")
    if file is not None and not Path(file).is_file():
        yield Error(
            f"There is no policy file at {file}.",
            hint="Correct BYLINE['POLICY_FILE'], or leave it out for the policy that comes with Byline.",
            id="byline.E005",
        )
        return
    try:
        found = policy.load()
    except ConfigurationError as error:
        yield Error(str(error), hint="`byline policy check FILE` tries a file beforehand.", id="byline.E007")
        return
    if conf.get("PROFILE") not in found.profiles:
        hint = f"Set BYLINE['PROFILE'] to one of {', '.join(sorted(found.profiles))}."
        yield Error(f"The policy has no profile {conf.get('PROFILE')!r}.", hint=hint, id="byline.E007")
    if strangers := sorted(set(found.brands) - set(brands.names())):
        yield Error(
            f"The policy has rules for brands that there are not: {', '.join(strangers)}.",
            hint=f"They would never be used. Brands: {', '.join(brands.names())}.",
            id="byline.E007",
        )


@register(Tags.compatibility)
def check_moderators(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E009: a guard that is configured wrongly, or whose pinned files are not there."""
    try:
        for guard in guards.configured().values():
            guard.self_check()
    except ConfigurationError as error:
        yield Error(str(error), hint=error.help, id="byline.E009")


@register(Tags.database)
def check_policy_activated(
    app_configs: _Apps = None, databases: Sequence[str] | None = None, **_: Any
) -> Iterable[CheckMessage]:
    """E014, W015: the policy file is not the one that was approved, or a site's own was never approved."""
    if not databases:
        return
    from byline.safety import activation

    try:
        current = policy.load()
        activation.require(current)
        if conf.get("POLICY_FILE") is not None and activation.activated_sha256() is None:
            yield Warning(
                f"Policy {current.version} was never activated, so a change of its file stays unnoticed.",
                hint="`byline policy activate FILE` approves it, on the record.",
                id="byline.W015",
            )
    except ConfigurationError as error:
        yield Error(str(error), hint=error.help, id="byline.E014")
    except DatabaseError:
        return  # before the first migration there is nothing to ask


@register(Tags.compatibility)
def check_manifest_choices(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E006: decisions about manifests that do not fit, found at start and not when a clip is signed."""
    try:
        profiles.parse(conf.get("MANIFEST"))
    except ConfigurationError as error:
        yield Error(str(error), hint="See byline/provenance/profiles.py.", id="byline.E006")


@register(Tags.compatibility)
def check_fairness(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E033: targets that cannot be meant, or a classifier of outputs that could never be loaded."""
    try:
        attributes.parse(conf.get("FAIRNESS"))
        if "CLASSIFIER" in conf.get("FAIRNESS"):
            classifiers.configured().self_check()
    except BylineError as error:
        yield Error(str(error), hint=error.help, id="byline.E033")


@register(Tags.compatibility)
def check_witnesses(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E008: a witness that could never be asked, or whose line could never be verified."""
    from byline.platform.ledger import witnesses

    try:
        witnesses.configured()
    except ConfigurationError as error:
        yield Error(str(error), hint="Correct BYLINE['WITNESSES'].", id="byline.E008")


@register(Tags.compatibility)
def check_review_rules(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E050: duties and reasons of review that do not fit together, or that no clip's status knows."""
    from byline.platform.models import StatusChange
    from byline.safety.review import rules

    try:
        loaded = rules.load()
    except ConfigurationError as error:
        yield Error(str(error), hint=error.help, id="byline.E050")
        return
    codes = {reason.status for reason in loaded.reasons.values()} - {""}
    if unknown := sorted(codes - set(StatusChange.Reason.values)):
        yield Error(
            f"Reasons of review have a public status that there is not: {', '.join(unknown)}.",
            hint=f"Known: {', '.join(StatusChange.Reason.values)}.",
            id="byline.E050",
        )


@register(Tags.security)
def check_keys(app_configs: _Apps = None, **_: Any) -> Iterable[CheckMessage]:
    """E010 development keys in production, E011 exposed key files, W012 a part of the keys missing."""
    directory = keyring.directory()
    if not directory.exists():
        return  # a fresh installation: `byline setup` makes them
    if not settings.DEBUG and (found := keys.for_development()):
        yield Error(
            f"DEBUG is off, but these keys are for development: {', '.join(found)}.",
            hint="Get certificates with `byline keys csr` and `byline keys install`, or set DEBUG=1.",
            id="byline.E010",
        )
    exposed = [directory, *(p for p in directory.iterdir() if p.is_file())]
    for path in exposed:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Error(
                f"{path} is open to other users of this machine.",
                hint=f"chmod go= {path}, and rotate the key if others may have read it.",
                id="byline.E011",
            )
    if lost := keys.missing():
        yield Warning(
            f"Keys are missing in {directory}: {', '.join(lost)}.",
            hint="Restore them from your backup.",
            id="byline.W012",
        )
