"""The verifier that needs no site: from a served export and straight from the disk, in a real Chromium."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from byline.audit.base import keyring
from byline.provenance import exporting, status
from byline.provenance.trust import TrustBundle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))


@pytest.fixture(scope="module")
def stage(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    directory = tmp_path_factory.mktemp("export")
    first, second = kit.make_clip(directory, 1, serial=5), kit.make_clip(directory, 2, serial=6)
    exporting.write_browser_verifier(directory / "browser")
    TrustBundle.from_installation().export(directory / "trust.json")
    TrustBundle.empty().export(directory / "nobody.json")
    vkey = keyring.read("receipt_vkey").decode().strip()
    source = SimpleNamespace(
        status=lambda _: status.ClipStatus("withdrawn", "2026-03-04", "consent withdrawn by a person shown")
    )
    listed = status.signed_list([first.stored.id], source, keyring.read("receipt"), vkey)
    (directory / "status.json").write_text(json.dumps(listed))
    return SimpleNamespace(directory=directory, first=first, second=second)


@pytest.fixture(scope="module")
def served(stage: SimpleNamespace) -> Iterator[str]:
    """What `python -m http.server` does in the export."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    handler = functools.partial(Quiet, directory=str(stage.directory))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/browser/"
    server.shutdown()
    server.server_close()


def _ask(
    page: Page, stage: SimpleNamespace, file: Path, trust: str = "trust.json", listed: bool = False
) -> Any:
    page.get_by_label("Trust bundle").set_input_files(stage.directory / trust)
    page.get_by_label("File to verify").set_input_files(file)
    page.get_by_label("Status list").set_input_files(stage.directory / "status.json" if listed else [])
    page.evaluate("document.getElementById('answer').hidden = true")
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.locator("#answer")).to_be_visible(timeout=60_000)
    findings = page.locator("#findings li").evaluate_all(
        "items => items.map(item => [item.dataset.technique, item.dataset.status])"
    )
    return page.locator("#answer").get_attribute("data-verdict"), dict(findings)


def test_it_says_what_byline_verify_says_and_asks_nobody(
    tab: Page, stage: SimpleNamespace, served: str, tmp_path: Path
) -> None:
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(served)
    verdict, findings = _ask(tab, stage, stage.first.signed)
    assert (verdict, findings["audit proof"], findings["signer"]) == ("intact", "passed", "passed"), findings
    assert findings["picture and speech mark"] == "not checked"
    assert findings["status"] == "not checked"
    assert Axe().run(tab, options=RULES).violations_count == 0
    assert _ask(tab, stage, stage.first.signed, listed=True)[0] == "withdrawn"
    assert _ask(tab, stage, stage.second.signed, listed=True)[0] == "intact", "the list does not name it"
    assert _ask(tab, stage, stage.first.signed, trust="nobody.json")[0] == "unknown_signer"

    flipped = tmp_path / "flipped.mp4"
    flipped.write_bytes(stage.first.signed.read_bytes())
    start, end = kit.boxes(flipped.read_bytes())["mdat"]
    kit.flip(flipped, (start + end) // 2)
    assert _ask(tab, stage, flipped)[0] == "tampered"
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(stage.first.signed.read_bytes().replace(b"c2pa.claim.v2", b"c2pa.claim.v9", 1))
    assert _ask(tab, stage, damaged)[0] == "tampered"
    assert _ask(tab, stage, stage.first.unsigned)[0] == "no_manifest"
    (tmp_path / "text.mp4").write_text("hello, this is no media")
    assert _ask(tab, stage, tmp_path / "text.mp4")[0] == "unreadable"
    assert {url for url in requests if not url.startswith(served)} == set()


def test_a_proof_of_other_content_and_a_doctored_proof_are_refused(
    tab: Page, stage: SimpleNamespace, served: str, tmp_path: Path
) -> None:
    import dataclasses

    from byline.provenance import manifest, signing

    facts = manifest.ManifestFacts(
        title="Clip", asset_id="a", software_version="1", proof=stage.first.proof,
        models=(manifest.ModelFact("m", "1", "moving pictures"),),
    )  # fmt: skip
    doctored = json.loads(json.dumps(stage.second.proof))
    doctored["path"][0] = "00" * 32
    strange_entry = json.loads(json.dumps(stage.second.proof))
    strange_entry["entry"]["payload"]["digest"] = "00" * 32
    forged_head = json.loads(json.dumps(stage.second.proof))
    forged_head["checkpoint"] = forged_head["checkpoint"].replace("\n5\n", "\n6\n")
    forged_head["tree_size"] = 6
    tab.goto(served)
    for number, proof in enumerate([stage.first.proof, doctored, strange_entry, forged_head]):
        target = tmp_path / f"{number}.mp4"
        built = manifest.build(dataclasses.replace(facts, proof=proof))
        signing.sign_file(stage.second.unsigned, target, built)
        verdict, findings = _ask(tab, stage, target)
        assert (verdict, findings["audit proof"]) == ("transplanted", "failed"), number


def test_from_the_disk_with_the_keyboard_alone(tab: Page, stage: SimpleNamespace) -> None:
    """file://, no server at all; the button is reached and pressed by keys, the answer takes the focus."""
    tab.goto((stage.directory / "browser" / exporting.SINGLE_PAGE).as_uri())
    tab.get_by_label("Trust bundle").set_input_files(stage.directory / "trust.json")
    tab.get_by_label("File to verify").set_input_files(stage.first.signed)
    tab.get_by_label("Status list").focus()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.locator("#answer")).to_have_attribute("data-verdict", "intact", timeout=60_000)
    assert tab.evaluate("document.activeElement.id") == "headline"


def test_what_is_vendored_is_what_was_pinned() -> None:
    folder = Path(exporting.__file__).parent / "browser"
    pinned = json.loads((folder / "VENDORED.json").read_text())
    for name, digest in pinned["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "MIT License" in (folder / "c2pa_LICENSE.txt").read_text()
