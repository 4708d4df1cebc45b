"""Revocation by lists that travel with the trust bundle: what was stamped before stays, the rest does not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import provenance_kit as kit
import pytest
from cryptography import x509

from byline.audit.base import keyring
from byline.platform import cli, rotation
from byline.provenance import certs, reading, revocation, signers, signing
from byline.provenance.trust import BadTrustBundle, TrustBundle

KEY_COMPROMISE = x509.ReasonFlags.key_compromise


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with kit.home(tmp_path / "home"):
        yield tmp_path / "home"


def _sign(path: Path) -> Path:
    signing.sign_file(kit.write_wav(path.with_suffix(".in.wav")), path, rotation._TRIAL)
    return path


def _list(moment: dt.datetime, why: x509.ReasonFlags = KEY_COMPROMISE) -> str:
    """A list of this home's root that names the leaf in use."""
    leaf = x509.load_pem_x509_certificate(keyring.read("c2pa_chain"))
    return certs.revocation_list(certs.stored_root(), b"", leaf.serial_number, why, moment).decode()


def test_signed_before_stays_valid_and_after_does_not(home: Path, tmp_path: Path) -> None:
    file, trust, now = _sign(tmp_path / "a.wav"), TrustBundle.from_installation(), dt.datetime.now(dt.UTC)
    assert reading.read(file, trust).revoked == ""
    later = dataclasses.replace(trust, crls=_list(now + dt.timedelta(hours=1)))
    assert reading.read(file, later).revoked == ""
    before = dataclasses.replace(trust, crls=_list(now - dt.timedelta(hours=1)))
    held = reading.read(file, before)
    assert "revoked since" in held.revoked
    assert "keyCompromise" in held.revoked
    assert held.state == "Trusted", "the library cannot know; the reading says it apart"


def test_without_a_trusted_stamp_nobody_says_that_it_was_before(home: Path, tmp_path: Path) -> None:
    file, trust = _sign(tmp_path / "a.wav"), TrustBundle.from_installation()
    crls = _list(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    assert (
        "no trusted time stamp"
        in reading.read(file, dataclasses.replace(trust, crls=crls, tsa_roots="")).revoked
    )


def test_another_signer_with_the_same_serial_is_not_meant(home: Path) -> None:
    crls = revocation.load(_list(dt.datetime.now(dt.UTC)), "", keyring.read("c2pa_ca_cert").decode())
    serial = crls[0][0].serial_number
    root = certs.stored_root().certificate.subject
    ours = {"O": "Byline development", "CN": root.rfc4514_string().partition(",")[0].removeprefix("CN=")}
    assert revocation.reason(crls, serial, lambda: ours, None)
    assert revocation.reason(crls, serial, lambda: {**ours, "CN": "Somebody else"}, None) == ""
    assert revocation.reason(crls, serial + 1, lambda: pytest.fail("asked for nothing"), None) == ""


def test_a_list_that_was_taken_back_counts_no_more(home: Path, tmp_path: Path) -> None:
    file, trust = _sign(tmp_path / "a.wav"), TrustBundle.from_installation()
    past = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    crls = _list(past, x509.ReasonFlags.remove_from_crl)
    assert reading.read(file, dataclasses.replace(trust, crls=crls)).revoked == ""


def test_a_strangers_list_is_no_bundle(home: Path, tmp_path: Path) -> None:
    """Otherwise whoever can add to a bundle in transit could revoke; and a forged root name must not help."""
    trust = TrustBundle.from_installation()
    leaf = x509.load_pem_x509_certificate(keyring.read("c2pa_chain"))
    name = certs.stored_root().certificate.subject.rfc4514_string().partition(",")[0].removeprefix("CN=")
    forged = certs.revocation_list(
        certs.root(name), b"", leaf.serial_number, KEY_COMPROMISE, dt.datetime.now(dt.UTC)
    ).decode()
    for crls in (forged, "hello", _list(dt.datetime.now(dt.UTC)) + "x"):
        dataclasses.replace(trust, crls=crls).export(tmp_path / "trust.json")
        with pytest.raises(BadTrustBundle, match="revocations"):
            TrustBundle.load(tmp_path / "trust.json")


def test_bundles_of_both_versions_load(home: Path, tmp_path: Path) -> None:
    trust = TrustBundle.from_installation()
    trust.export(tmp_path / "one.json")
    assert json.loads((tmp_path / "one.json").read_text())["v"] == 1
    revoking = dataclasses.replace(trust, crls=_list(dt.datetime.now(dt.UTC)))
    revoking.export(tmp_path / "two.json")
    assert json.loads((tmp_path / "two.json").read_text())["v"] == 2, (
        "a reader that cannot heed it must refuse"
    )
    assert TrustBundle.load(tmp_path / "one.json") == trust
    assert TrustBundle.load(tmp_path / "two.json") == revoking
    data = json.loads((tmp_path / "two.json").read_text())
    for spoiled in ({**data, "v": 1}, {**data, "v": 3}, {**data, "revoked": {}}, {**data, "revoked": "x"}):
        (tmp_path / "bad.json").write_text(json.dumps(spoiled))
        with pytest.raises(BadTrustBundle):
            TrustBundle.load(tmp_path / "bad.json")


def test_the_command_revokes_replaces_and_tells(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import time

    old = _sign(tmp_path / "old.wav")
    old_key = keyring.read("c2pa_leaf")
    time.sleep(1.1)  # stamps have whole seconds
    assert cli.main(["keys", "revoke", "--reason", "superseded"]) == 0
    assert "Export the trust bundle again" in capsys.readouterr().out
    trust = TrustBundle.from_installation()
    assert trust.crls
    assert reading.read(old, trust).revoked == "", "it was signed before"
    new = reading.read(_sign(tmp_path / "new.wav"), trust)
    assert (new.state, new.revoked) == ("Trusted", "")
    stolen_chain = keyring.paths("c2pa_chain")[1].read_bytes()
    keyring.path("c2pa_chain").write_bytes(stolen_chain)
    keyring.path("c2pa_leaf").write_bytes(old_key)
    with pytest.raises(signers.SignerUnavailable, match="revoked"):
        _sign(tmp_path / "stolen.wav")
    keyring.path("c2pa_crls").unlink()  # whoever stole the key has a home of his own
    assert "superseded" in reading.read(_sign(tmp_path / "stolen.wav"), trust).revoked
    assert cli.main(["keys", "revoke", "--reason", "boredom"]) == 64


def test_lists_add_up_and_an_older_one_is_refused(home: Path) -> None:
    rotation.revoke("superseded")
    first = keyring.read("c2pa_crls")
    rotation.revoke("keyCompromise")
    second = x509.load_pem_x509_crl(keyring.read("c2pa_crls"))
    assert len(second) == 2
    assert second.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2
    assert "2 revoked" in rotation.add_revocations(keyring.read("c2pa_crls"))
    older = certs.revocation_list(
        certs.stored_root(), b"", 5, KEY_COMPROMISE, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )
    with pytest.raises(rotation.RotationRefused, match="newer"):
        rotation.add_revocations(older)
    with pytest.raises(rotation.RotationRefused, match="no revocation list"):
        rotation.add_revocations(b"")
    assert first != keyring.read("c2pa_crls")
