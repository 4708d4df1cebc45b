"""System checks: each mistake has its error, and a good installation has none."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.x509.oid import NameOID

from byline.audit.base import keyring
from byline.platform import checks, keys
from byline.safety.review import rules


def ids(check: Any) -> list[str]:
    return [message.id for message in check()]


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.BYLINE = {"HOME": tmp_path}
    keys.create(tmp_path)
    return tmp_path


def test_a_good_installation_passes(home: Path, settings: Any) -> None:
    settings.DEBUG = True
    for check in (
        checks.check_setting_names,
        checks.check_times,
        checks.check_policy_file,
        checks.check_keys,
    ):
        assert ids(check) == []


def test_unknown_names_are_errors(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BYLINE = {**settings.BYLINE, "LEASE": 2}
    assert ids(checks.check_setting_names) == ["byline.E001"]
    monkeypatch.setenv("BYLINE_LEAS_S", "2")
    assert ids(checks.check_setting_names) == ["byline.E001", "byline.E002"]


@pytest.mark.parametrize("wrong", [{"LEASE_S": "2"}, {"LEASE_S": 0}, {"LEASE_S": True}, {"BRANDS": []}])
def test_values_of_the_wrong_type_are_errors(settings: Any, wrong: dict[str, Any]) -> None:
    settings.BYLINE = {**settings.BYLINE, **wrong}
    assert ids(checks.check_setting_names) == ["byline.E003"]


def test_a_lease_shorter_than_a_heartbeat_is_an_error(settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "LEASE_S": 5, "HEARTBEAT_S": 5}
    assert ids(checks.check_times) == ["byline.E004"]


def test_review_rules_that_do_not_fit_are_an_error(settings: Any, tmp_path: Path) -> None:
    assert ids(checks.check_review_rules) == []
    shipped = rules.SHIPPED.read_text()
    for wrong in ("in_force: 7", shipped.replace("status: rights", "status: nonsense")):
        (tmp_path / "rules.yaml").write_text(wrong)
        settings.BYLINE = {**settings.BYLINE, "REVIEW_FILE": tmp_path / "rules.yaml"}
        assert ids(checks.check_review_rules) == ["byline.E050"]


def test_a_policy_file_that_is_not_there_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.BYLINE = {**settings.BYLINE, "POLICY_FILE": tmp_path / "none.yaml"}
    assert ids(checks.check_policy_file) == ["byline.E005"]
    (tmp_path / "none.yaml").write_text("extends: shipped\nversion: ours\n")
    assert ids(checks.check_policy_file) == []


def test_a_policy_that_contradicts_itself_is_an_error(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("extends: shipped\nversion: ours\njurisdictions: [atlantis]\n")
    settings.BYLINE = {**settings.BYLINE, "POLICY_FILE": file}
    assert ids(checks.check_policy_file) == ["byline.E007"]


def test_a_policy_that_does_not_fit_the_installation_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.BYLINE = {**settings.BYLINE, "PROFILE": "gardening"}
    assert ids(checks.check_policy_file) == ["byline.E007"]
    file = tmp_path / "policy.yaml"
    file.write_text("extends: shipped\nversion: ours\nbrands: {nobody: {profile: children}}\n")
    settings.BYLINE = {**settings.BYLINE, "PROFILE": "newsroom", "POLICY_FILE": file}
    assert ids(checks.check_policy_file) == ["byline.E007"]


def test_a_guard_that_is_configured_wrongly_is_an_error(settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "MODERATORS": {"one": {"CLASS": "no.such.Guard"}}}
    assert ids(checks.check_moderators) == ["byline.E009"]
    config = {"path": "/nowhere", "sha256": "0" * 64, "revision": "0123abc"}
    entry = {"CLASS": "byline.safety.guards.qwen3guard.Qwen3Guard", "CONFIG": config}
    settings.BYLINE = {**settings.BYLINE, "MODERATORS": {"one": entry}}
    assert ids(checks.check_moderators) == ["byline.E009"]
    settings.BYLINE = {**settings.BYLINE, "MODERATORS": {}}
    assert ids(checks.check_moderators) == []


def test_development_keys_are_refused_while_debug_is_off(home: Path, settings: Any) -> None:
    settings.DEBUG = False
    assert ids(checks.check_keys) == ["byline.E010"]


def certificate(common_name: str) -> bytes:
    import datetime

    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start)
    made = builder.not_valid_after(start + datetime.timedelta(1)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def test_certificates_of_others_are_accepted_but_all_must_be(home: Path, settings: Any) -> None:
    settings.DEBUG = False
    purposes = ["c2pa_ca_cert", "c2pa_chain", "tsa_ca_cert", "tsa_cert"]
    for purpose in purposes:
        keyring.path(purpose).write_bytes(certificate("Example Broadcaster CA"))
    assert ids(checks.check_keys) == []
    for text in (certificate("example Development root"), b"no certificate"):
        keyring.path("tsa_cert").write_bytes(text)
        assert ids(checks.check_keys) == ["byline.E010"]


def test_keys_open_to_others_are_errors(home: Path, settings: Any) -> None:
    settings.DEBUG = True
    keyring.path("watermark").chmod(0o640)
    assert ids(checks.check_keys) == ["byline.E011"]
    (home / "keys").chmod(0o755)
    assert ids(checks.check_keys) == ["byline.E011", "byline.E011"]


def test_a_lost_key_is_a_warning_that_names_it(home: Path, settings: Any) -> None:
    settings.DEBUG = True
    keyring.path("id").unlink()
    (message,) = checks.check_keys()
    assert (message.id, message.level, " id." in message.msg) == ("byline.W012", 30, True)


def test_a_fresh_installation_may_be_checked(tmp_path: Path, settings: Any) -> None:
    settings.BYLINE = {"HOME": tmp_path / "fresh"}
    settings.DEBUG = False
    assert ids(checks.check_keys) == []
