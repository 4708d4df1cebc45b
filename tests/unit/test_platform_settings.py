"""Settings: what the environment may say, and what importing them must not do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from byline.audit.base.conf import DEFAULTS
from byline.audit.base.errors import ConfigurationError
from byline.platform import environment


def test_every_setting_can_come_from_the_environment() -> None:
    examples = {"LEASE_S": ("2", 2.0), "MAX_ATTEMPTS": ("7", 7), "PROFILE": ("social", "social")}
    examples |= {"BRANDS": ('{"a": {}}', {"a": {}}), "HOME": ("/x", Path("/x"))}
    examples["POLICY_FILE"] = ("/p.yaml", Path("/p.yaml"))
    for name, (text, value) in examples.items():
        assert environment.overrides({f"BYLINE_{name}": text}) == {name: value}
    plain = {f"BYLINE_{name}": "1" for name, value in DEFAULTS.items() if not isinstance(value, dict)}
    assert environment.unknown_names(plain) == []
    assert len(environment.overrides(plain)) == len(plain)


@pytest.mark.parametrize(
    ("name", "text"), [("LEASE_S", "soon"), ("MAX_ATTEMPTS", "1.5"), ("BRANDS", "[]"), ("BRANDS", "{")]
)
def test_values_of_the_wrong_type_are_named(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"BYLINE_{name}"):
        environment.overrides({f"BYLINE_{name}": text})


def test_misspelt_names_are_found() -> None:
    names = {"BYLINE_LEAS_S": "1", "BYLINE_PROCESS": "web", "PATH": "/bin"}
    assert environment.unknown_names(names) == ["BYLINE_LEAS_S"]


@pytest.mark.parametrize(("text", "value"), [("1", True), ("off", False), ("", True), ("TRUE", True)])
def test_flags(text: str, value: bool) -> None:
    assert environment.flag("DEBUG", True, {"DEBUG": text}) is value
    with pytest.raises(ConfigurationError, match="DEBUG"):
        environment.flag("DEBUG", True, {"DEBUG": "perhaps"})


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("http://localhost:8000", True),
        ("127.9.9.9:80", True),
        ("[::1]:8000", True),
        ("0.0.0.0:8000", False),
        ("https://localhost.example.org", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_only_this_machine_counts_as_loopback(address: str, loopback: bool) -> None:
    assert environment.is_loopback(address) is loopback


def settings_with(tmp_path: Path, **variables: str) -> dict[str, Any]:
    """Settings as a fresh process sees them; fails if importing them made or imported too much."""
    script = """
import json, sys
import django; django.setup()
from django.conf import settings as s
heavy = [m for m in ("torch", "transformers", "diffusers", "c2pa", "av", "onnxruntime") if m in sys.modules]
names = ("DEBUG", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_SECURE", "CELERY_BROKER_URL", "SECRET_KEY")
print(json.dumps({"heavy": heavy, "user": s.DATABASES["default"]["USER"],
                  "host": s.DATABASES["default"]["HOST"], **{n: getattr(s, n) for n in names}}))
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BYLINE_", "DATABASE_", "CELERY_"))}
    clean.pop("DEBUG", None)
    variables = {
        "BYLINE_HOME": str(tmp_path / "home"),
        "DJANGO_SETTINGS_MODULE": "byline.platform.settings",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "home").exists(), "importing settings must write nothing"
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("heavy") == []
    return found


def test_the_defaults_are_one_persons_own_installation(tmp_path: Path) -> None:
    found = settings_with(tmp_path)
    assert found["DEBUG"] is True
    assert found["user"] == "byline_app"
    assert found["host"].startswith((str(tmp_path), "/tmp/byline-"))
    assert found["CELERY_BROKER_URL"].startswith("pgmq:")
    assert found["SESSION_COOKIE_SECURE"] is False


def test_a_public_address_hardens(tmp_path: Path) -> None:
    first = settings_with(
        tmp_path,
        BYLINE_PUBLIC_BASE_URL="https://video.example.org",
        DATABASE_URL="postgresql://web@db/site",
        BYLINE_DB_ROLE="owner",
        DATABASE_OWNER_URL="postgresql://boss@db/site",
        CELERY_BROKER_URL="redis://broker/0",
    )
    assert first["DEBUG"] is False
    assert first["SESSION_COOKIE_SECURE"] is True
    assert first["SECURE_HSTS_SECONDS"] > 0
    assert (first["user"], first["host"]) == ("boss", "db")
    assert first["CELERY_BROKER_URL"] == "redis://broker/0"
    assert len(first["SECRET_KEY"]) > 50
