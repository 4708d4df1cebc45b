"""Our reading against the C2PA library's own reader, over files that Byline did not make.

The reference is told the format by name and runs with the library's own settings but for the root and
the network; ours finds the format by the file's bytes. Both must come to the same state and codes.
"""

import dataclasses
import io
import json
import sys
from pathlib import Path
from typing import Any

import c2pa
import pytest

from byline.provenance import formats, reading, verifier
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Verdict

sys.path.append(str(Path(__file__).parents[1]))
import reader_kit

ROOT, STRANGER = reader_kit.Authority.make("Known root"), reader_kit.Authority.make("Stranger's root")
FILES = list(reader_kit.odd_files(ROOT, STRANGER))
TRUST = dataclasses.replace(TrustBundle.empty(), c2pa_roots=ROOT.pem)


def reference(mime: str, data: bytes) -> dict[str, Any]:
    """{"state", "codes"} of the library's reader; {"refused": its words} where it reads nothing."""
    settings = {
        "trust": {"trust_anchors": ROOT.pem},
        "verify": {"verify_trust": True, "remote_manifest_fetch": False},
    }
    try:
        with c2pa.Reader(mime, io.BytesIO(data), context=c2pa.Context.from_dict(settings)) as reader:
            store, state = json.loads(reader.json()), reader.get_validation_state()
    except c2pa.C2paError as error:
        return {"refused": str(error)}
    active = store["validation_results"]["activeManifest"]
    codes = {kind: sorted(one["code"] for one in active.get(kind, ())) for kind in active}
    return {"state": state, "codes": codes, "label": store["active_manifest"]}


@pytest.mark.parametrize(("name", "mime", "data"), FILES, ids=[f"{n}, {m[-12:]}" for n, m, _ in FILES])
def test_both_come_to_the_same(name: str, mime: str, data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    theirs, ours = reference(mime, data), reading.read(file, TRUST)
    report = verifier.verify(file, trust=TRUST, records=None)
    if "refused" in theirs:
        kinds = {"remote": "remote", "ManifestNotFound": "absent"}
        expected = next((ours for word, ours in kinds.items() if word in theirs["refused"]), "damaged")
        assert ours.presence == expected, theirs
        if expected == "damaged":
            assert report.verdict is Verdict.TAMPERED
        else:
            assert report.verdict in (Verdict.MARK_NOT_CHECKED, Verdict.UNREADABLE)
        return
    assert ours.presence == "read", (ours.detail, formats.sniff(file))
    assert ours.label == theirs["label"]
    assert {kind: sorted(codes) for kind, codes in ours.codes.items() if codes} == {
        kind: codes for kind, codes in theirs["codes"].items() if codes
    }
    assert ours.state == theirs["state"]
    assert set(ours.failures) | set(ours.identity_failures) == set(theirs["codes"].get("failure", ()))
    # One word for each state: a file whose state is Invalid is never called whole.
    about_signer = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")
    broken = [code for code in ours.failures if not code.startswith(about_signer)]
    if broken:
        assert report.verdict is Verdict.TAMPERED
    elif ours.signer_known:  # what is wrong with an identity assertion alone does not count against the file
        assert ours.state == "Trusted" or ours.identity_failures
        assert report.verdict is Verdict.UNPROVEN  # no log was supplied
    else:
        assert ours.state != "Trusted"
        assert report.verdict is Verdict.UNKNOWN_SIGNER


def test_the_files_reach_every_state_and_every_format_that_can_be_signed() -> None:
    states = [reference(mime, data).get("state", "refused") for _, mime, data in FILES]
    assert set(states) == {"Trusted", "Valid", "Invalid", "refused"}
    signed = {mime for name, mime, data in FILES if name == "signed" and "state" in reference(mime, data)}
    assert signed == set(reader_kit.formats())
    assert len(FILES) > 100
