"""Signing real files and reading them back under roots that the reader chose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from byline.audit.base import keyring
from byline.provenance import certs, reading, signers, signing
from byline.provenance.digest import content_digest
from byline.provenance.trust import BadTrustBundle, TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))

MANIFEST: dict[str, Any] = {
    "claim_generator_info": [{"name": "Byline", "version": "test", "specVersion": "2.4.0"}],
    "title": "A test clip",
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "created": True,
            "data": {
                "allActionsIncluded": True,
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
                    }
                ],
            },
        }
    ],
}


def _mp4(path: Path) -> Path:
    return kit.write_mp4(path, kit.pictures(1))


MAKERS: dict[str, Callable[[Path], Path]] = {
    "mp4": _mp4,
    "wav": kit.write_wav,
    "png": kit.write_image,
    "jpg": kit.write_image,
}


@pytest.mark.parametrize("suffix", MAKERS)
def test_every_kind_is_signed_stamped_and_verified_under_our_roots(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"in.{suffix}")
    target = tmp_path / f"out.{suffix}"
    store = signing.sign_file(source, target, MANIFEST)
    assert store[4:8] == b"jumb"
    result = reading.read(target, TrustBundle.from_installation())
    assert (result.presence, result.state, result.signer_known, result.stamped) == (
        "read",
        "Trusted",
        True,
        True,
    )
    assert result.failures == ()
    assert "development" in result.signer
    assert result.title == "A test clip"
    assert content_digest(source) == content_digest(target), "the logged digest must survive signing"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"in.{suffix}", f"out.{suffix}"]


def test_stored_manifest_authenticates_a_stripped_copy_except_for_its_bytes(tmp_path: Path) -> None:
    source = _mp4(tmp_path / "in.mp4")
    store = signing.sign_file(source, tmp_path / "out.mp4", MANIFEST)
    result = reading.read(source, TrustBundle.from_installation(), manifest=store)
    assert result.signer_known
    assert "claimSignature.validated" in result.successes
    assert set(result.failures) == {"assertion.bmffHash.mismatch"}


def test_signing_the_wrong_assertion_is_caught_by_reading_back(tmp_path: Path) -> None:
    """The library signs a wrong hash assertion without a word; only the read-back sees it."""
    wrong = {"alg": "sha256", "hash": [0] * 32, "name": "x", "pad": [], "exclusions": []}
    manifest = {
        **MANIFEST,
        "assertions": [*MANIFEST["assertions"], {"label": "c2pa.hash.data", "data": wrong}],
    }
    target = tmp_path / "out.png"
    with pytest.raises(signing.SigningFailed):
        signing.sign_file(kit.write_image(tmp_path / "in.png"), target, manifest)
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


def test_an_action_without_source_type_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    manifest = {
        **MANIFEST,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.created"}]}}],
    }
    target = tmp_path / "out.mp4"
    target.write_bytes(b"an older file that would look signed")
    with pytest.raises(signing.SigningFailed):
        signing.sign_file(_mp4(tmp_path / "in.mp4"), target, manifest)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_a_key_that_does_not_fit_the_chain_is_refused(tmp_path: Path) -> None:
    with kit.home(tmp_path / "home"):
        stranger = certs.leaf(
            certs.root("development other"), "other", [ExtendedKeyUsageOID.EMAIL_PROTECTION], days=1
        )
        keyring.path("c2pa_leaf").write_bytes(stranger.key_pem)
        with pytest.raises(signers.SignerUnavailable, match="not the key in its certificate"):
            signing.sign_file(_mp4(tmp_path / "in.mp4"), tmp_path / "out.mp4", MANIFEST)
    assert not (tmp_path / "out.mp4").exists()


def test_a_stamp_from_an_unknown_authority_is_not_enough(tmp_path: Path) -> None:
    with kit.home(tmp_path / "home"):
        keyring.path("tsa_ca_cert").write_bytes(certs.root("development other").pem)
        with pytest.raises(signing.SigningFailed, match="stamp"):
            signing.sign_file(_mp4(tmp_path / "in.mp4"), tmp_path / "out.mp4", MANIFEST)
    assert not (tmp_path / "out.mp4").exists()


def test_the_web_process_cannot_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _mp4(tmp_path / "in.mp4")
    monkeypatch.setenv("BYLINE_PROCESS", "web")
    with pytest.raises(keyring.KeyRefused):
        signing.sign_file(source, tmp_path / "out.mp4", MANIFEST)
    assert not (tmp_path / "out.mp4").exists()


def test_a_stamp_outlives_the_certificate(tmp_path: Path) -> None:
    """Signed while the leaf was valid, read after it expired: the stamp says which was first."""
    target = tmp_path / "out.mp4"
    with kit.home(tmp_path / "home"):
        authority = certs.root("development short")
        usages = [ExtendedKeyUsageOID.EMAIL_PROTECTION, certs.CLAIM_SIGNING]
        leaf = certs.leaf(authority, "development short leaf", usages, days=4 / 86_400)
        for purpose, data in {
            "c2pa_ca_cert": authority.pem,
            "c2pa_chain": leaf.pem,
            "c2pa_leaf": leaf.key_pem,
        }.items():
            keyring.path(purpose).write_bytes(data)
        signing.sign_file(_mp4(tmp_path / "in.mp4"), target, MANIFEST)
        trust = TrustBundle.from_installation()
        import time

        time.sleep(5)
        assert reading.read(target, trust).state == "Trusted"
        without = reading.read(target, dataclasses.replace(trust, tsa_roots=""))
        assert not without.signer_known
        assert (
            "signingCredential.expired" in without.failures
            or "signingCredential.untrusted" in without.failures
        )


def test_a_time_stamp_root_does_not_vouch_for_signers(tmp_path: Path) -> None:
    """The library lets any list vouch: a public stamp root would make its e-mail customers signers."""
    target = tmp_path / "out.mp4"
    signing.sign_file(_mp4(tmp_path / "in.mp4"), target, MANIFEST)
    ours = TrustBundle.from_installation()
    result = reading.read(
        target, dataclasses.replace(ours, c2pa_roots="", tsa_roots=ours.c2pa_roots + ours.tsa_roots)
    )
    assert (result.state, result.signer_known) == ("Valid", False)
    assert "signingCredential.untrusted" in result.failures
    both = ours.c2pa_roots + ours.tsa_roots
    assert reading.read(target, dataclasses.replace(ours, c2pa_roots=both, tsa_roots=both)).signer_known


def test_nobody_is_known_without_roots(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    signing.sign_file(_mp4(tmp_path / "in.mp4"), target, MANIFEST)
    result = reading.read(target, TrustBundle.empty())
    assert (result.state, result.signer_known, result.failures) == (
        "Valid",
        False,
        ("signingCredential.untrusted",),
    )


def test_trust_bundle_survives_its_file_and_holds_no_key(tmp_path: Path) -> None:
    bundle = TrustBundle.from_installation()
    bundle.export(tmp_path / "trust.json")
    assert TrustBundle.load(tmp_path / "trust.json") == bundle
    assert TrustBundle.load(tmp_path) == bundle
    assert "PRIVATE" not in (tmp_path / "trust.json").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kind": "byline-trust-bundle", "v": 1}',
        '{"kind": "byline-trust-bundle", "v": 1, "c2pa_roots": "-----BEGIN CERTIFICATE-----\\nAA==\\n'
        '-----END CERTIFICATE-----", "tsa_roots": "", "log": {"origin": "", "vkey": ""}}',
        '{"kind": "byline-trust-bundle", "v": 1, "c2pa_roots": "", "tsa_roots": "", '
        '"log": {"origin": "a", "vkey": "b+00000000+AA=="}}',
        "[" * 100_000,
    ],
)
def test_damaged_bundles_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "trust.json").write_text(text)
    with pytest.raises(BadTrustBundle):
        TrustBundle.load(tmp_path / "trust.json")
