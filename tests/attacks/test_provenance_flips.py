"""A thousand one-bit flips in a signed clip: everything signed shows it; what nobody signs is listed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import flips_kit as flips
import provenance_kit as kit
import pytest
import rubrics_kit

from byline.provenance import manifest, reading, signing
from byline.provenance.trust import TrustBundle

# Unseen there by design. C2PA leaves these bytes out of every hash, or they only frame others:
TOLERATED = {
    "ftyp": "excluded from the BMFF hash by the C2PA library (A.5.1 allows it)",
    "ftyp: header": "as above",
    "manifest: box header": "of the manifest's own box: version, purpose and offset, which are not media",
    "manifest: toggle byte": "of a description box: what may be asked for, not what is said",
    "manifest: box type and label": "of the store and the manifest, not of an assertion or the claim",
    "manifest: salt of a description": "random, only there to blind a hash",
    "manifest: padding behind the store": "zeros",
    "manifest: signature, padding": "zeros kept free for a longer signature (COSE unprotected header)",
    "manifest: signature, framing": "CBOR lengths of which some have another spelling",
}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    directory = tmp_path_factory.mktemp("flips")
    source = kit.write_mp4(directory / "a.mp4", kit.pictures(1, count=12, size=(128, 96)))
    built = manifest.build(rubrics_kit.facts(source, mark_id=7))
    signing.sign_file(source, directory / "b.mp4", built)
    return SimpleNamespace(file=directory / "b.mp4", trust=TrustBundle.from_installation())


def test_the_map_covers_the_file_and_knows_its_parts(signed: SimpleNamespace) -> None:
    data = signed.file.read_bytes()
    found = flips.regions(data)
    assert [region.start for region in found[1:]] == [region.end for region in found[:-1]]
    assert (found[0].start, found[-1].end) == (0, len(data))
    names = {region.name for region in found}
    assert set(flips.SIGNED) - {"free"} <= names
    media = next(region for region in found if region.name == "mdat")
    assert media.end - media.start > 1000


def test_a_thousand_flips(
    signed: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reading.read(signed.file, signed.trust).state == "Trusted"
    tallies = flips.run(signed.file, tmp_path / "flipped.mp4", signed.trust, count=1000)
    report = flips.table(tallies)
    with capsys.disabled():
        print(f"\n{report}")
    assert sum(tally.flips for tally in tallies.values()) == 1000
    for name in flips.SIGNED:
        if name in tallies:
            assert tallies[name].tolerated + tallies[name].stamp_only == 0, report
    assert sum(tallies[name].flips for name in flips.SIGNED if name in tallies) > 300
    unseen = {name for name, tally in tallies.items() if tally.tolerated}
    assert unseen <= {*TOLERATED, "manifest: signature, time stamp"}, report
    stamps = tallies["manifest: signature, time stamp"]
    assert stamps.stamp_only + stamps.caught > 0.8 * stamps.flips, "a damaged stamp is named"
