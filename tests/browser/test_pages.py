"""What people see, in a real browser at desktop and phone width: brief, progress, story, verify.

Accessibility is checked with axe (WCAG 2.2 A and AA rules) on our own pages; in the CMS only the
part that is ours, because the frame around it is Wagtail's.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission, User
from PIL import Image
from playwright.sync_api import Page, expect
from publication_kit import on_record, sign
from wagtail.models import Page as WagtailPage
from wagtail.models import Site

from byline.generation import store, submit
from byline.platform import inspection, status
from byline.platform.cms.models import StoryPage
from byline.provenance.verdicts import Finding, Report, Verdict
from byline.safety.review.models import Report as Told

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def assert_accessible(page: Page, context: str | None = None) -> None:
    found = Axe().run(page, context=context, options=RULES)
    assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def editor(tab: Page, live_server: Any) -> Page:
    user = User.objects.create_user("editor", password="correct horse battery")
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["access_admin", "add_generationrequest"])
    )
    tab.goto(f"{live_server.url}/cms/login/")
    tab.fill("#id_username", "editor")
    tab.fill("#id_password", "correct horse battery")
    tab.press("#id_password", "Enter")
    tab.wait_for_url("**/cms/")
    return tab


def test_an_editor_writes_a_brief_and_sees_where_it_stands(editor: Page, live_server: Any):
    editor.goto(f"{live_server.url}/cms/generate/")
    expect(editor.get_by_role("heading", name="Generate a video")).to_be_visible()
    assert_accessible(editor, ".byline-brief")
    editor.get_by_label("What the clip shows").fill("a red ball bounces over the sea")
    editor.get_by_label("Title on screen").fill("High tide")
    editor.get_by_role("button", name="Generate").click()
    expect(editor.get_by_role("progressbar")).to_be_visible()
    expect(editor.locator("#byline-state")).to_have_text("submitted")
    assert_accessible(editor, "#byline-progress")
    editor.get_by_role("button", name="Cancel").click()
    expect(editor.locator("#byline-state")).to_have_text("cancelled")


def test_a_finished_clip_plays_on_its_page_with_label_and_credentials(
    tab: Page, live_server: Any, make_clip: Any
):
    clip = submit.publish(make_clip(title="High tide").pk, actor="editor")
    story = StoryPage(
        title="Tide tonight", slug="tide", body=[("video", {"clip": clip, "caption": "The harbour"})]
    )
    root = WagtailPage.objects.filter(depth=2).first()
    root.add_child(instance=story)
    Site.objects.update(root_page=root)
    tab.goto(f"{live_server.url}/tide/")
    expect(tab.get_by_role("heading", name="Tide tonight")).to_be_visible()
    expect(tab.get_by_text("AI-generated video.")).to_be_visible()
    assert tab.evaluate("document.querySelector('video').readyState >= 1 || new Promise(done =>"
                        " document.querySelector('video').onloadedmetadata = () => done(true))")  # fmt: skip
    assert_accessible(tab)
    tab.get_by_role("link", name="Content credentials").click()
    expect(tab.get_by_role("heading", name="What is known of it")).to_be_visible()
    expect(tab.get_by_text(clip.file_sha256)).to_be_visible()
    assert_accessible(tab)


def choose_and_send(tab: Page, address: str, file: Path) -> None:
    tab.goto(f"{address}/verify/")
    tab.get_by_label("Your file").set_input_files(file)
    tab.get_by_role("button", name="Check this file").press("Enter")


def canned(monkeypatch: Any, verdict: Verdict, *findings: Finding, **more: Any) -> None:
    """The child's answer, given at once: what the page makes of it is what is looked at here."""
    report = Report(
        verdict, findings or (Finding("manifest", "not found", "the file holds no manifest"),), {}, **more
    )
    answer = report.as_dict() | {"crjson": None}
    monkeypatch.setattr(inspection, "verify_descriptor", lambda *args: dict(answer))


def a_picture(folder: Path) -> Path:
    noise = np.random.default_rng(1).integers(0, 255, (24, 32, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    Image.fromarray(noise).save(folder / "holiday.png")
    return folder / "holiday.png"


def headline(tab: Page) -> Any:
    return tab.locator("#verdict")


def test_a_stranger_verifies_a_file_with_the_keyboard(tab: Page, live_server: Any, make_clip: Any):
    clip = make_clip(title="High tide")
    submit.publish(clip.pk, actor="editor")
    tab.goto(f"{live_server.url}/verify/")
    assert_accessible(tab)
    choose_and_send(tab, live_server.url, store.read_path(clip.file_sha256))
    expect(headline(tab)).to_contain_text("Signed and unchanged", timeout=90_000)
    assert tab.evaluate("document.activeElement.id") == "verdict"  # where a screen reader reads on
    assert "Signed and unchanged" in tab.title()
    assert tab.locator("#findings > li").count() >= 3
    expect(tab.get_by_text("verified under the roots").first).to_be_visible()
    # Both pictures: the visitor's own from the visitor's machine, and the published one.
    assert tab.locator("#query video").get_attribute("src").startswith("blob:")
    for video in ("#query video", ".compare figure:nth-child(2) video"):
        tab.wait_for_function(f"document.querySelector('{video}').readyState >= 1")
    for name in ("Signed receipt (PDF)", "Signed receipt (JSON)", "Content credentials (crJSON)"):
        with tab.expect_download() as download:
            tab.get_by_role("link", name=name).click()
        assert Path(download.value.path()).stat().st_size > 200
    assert tab.context.cookies() == []
    assert_accessible(tab)


def test_a_changed_file_is_called_changed(tab: Page, live_server: Any, tmp_path: Path, monkeypatch: Any):
    manifest = {
        "title": "High tide",
        "signer": "Example Newsroom",
        "signed_at": "2026-11-20T10:00:00+00:00",
        "generator": "Byline 0.1",
        "ancestors": [
            {"title": "harbour.jpg", "relationship": "parentOf", "failures": ["claimSignature.mismatch"]},
            {"title": "waves.wav", "relationship": "componentOf", "failures": []},
        ],
    }
    canned(
        monkeypatch,
        Verdict.TAMPERED,
        Finding("manifest", "failed", "does not validate: assertion.bmffHash.mismatch"),
        Finding("signer", "note", "the manifest names Example Newsroom"),
        Finding("audit proof", "failed", "the proof does not hold for this content"),
        Finding("ancestors", "failed", "harbour.jpg: claimSignature.mismatch"),
        Finding("picture mark", "not found", "no mark of these records' keys"),
        Finding("speech mark", "not checked", "the file has no sound that can be decoded"),
        manifest=manifest,
    )
    choose_and_send(tab, live_server.url, a_picture(tmp_path))
    expect(headline(tab)).to_contain_text("Changed after it was signed")
    expect(tab.get_by_text("made from harbour.jpg")).to_be_visible()
    assert_accessible(tab)


def test_a_stripped_copy_is_shown_beside_the_published_clip(
    tab: Page, live_server: Any, tmp_path: Path, monkeypatch: Any
):
    record = str(on_record(sign(tmp_path, 81)).pk)
    canned(
        monkeypatch,
        Verdict.RECOVERED,
        Finding("manifest", "not found", "the file holds no manifest"),
        Finding("picture mark", "found", f"authentic; leads to record {record}", {"record": record}),
        Finding("fingerprint", "passed", f"9 of 9 sampled frames agree with record {record}"),
        record=record,
    )
    choose_and_send(tab, live_server.url, a_picture(tmp_path))
    expect(headline(tab)).to_contain_text("recognised by its invisible mark")
    expect(tab.get_by_role("heading", name="Compare it with the published clip")).to_be_visible()
    assert tab.locator("#query img").get_attribute("src").startswith("blob:")
    assert_accessible(tab)
    tab.get_by_text("Is this wrong? Tell us").click()
    tab.get_by_label("What should we know?").fill("This is another harbour.")
    tab.get_by_role("button", name="Send").click()
    expect(tab.get_by_text("A person in the newsroom will read it, by")).to_be_visible()
    row = Told.objects.get()
    assert (row.kind, row.verdict, row.message) == ("verdict", "recovered", "This is another harbour.")
    assert row.case.subject == f"record:{record}"
    assert_accessible(tab)


def test_a_clip_that_was_taken_down_says_so_and_shows_nothing(
    tab: Page, live_server: Any, tmp_path: Path, monkeypatch: Any
):
    record = str(on_record(sign(tmp_path, 81)).pk)
    status.change(record, "taken_down", reason="rights", actor="reviewer")
    tab.goto(f"{live_server.url}/credentials/{record}/")
    expect(tab.get_by_role("heading", name="This clip was taken down")).to_be_visible()
    assert_accessible(tab)
    canned(monkeypatch, Verdict.TAKEN_DOWN, record=record)
    choose_and_send(tab, live_server.url, a_picture(tmp_path))
    expect(headline(tab)).to_contain_text("This clip was taken down")
    expect(tab.get_by_text("The published clip is no longer shown.")).to_be_visible()
    assert tab.locator(".compare video").count() == 0
    assert_accessible(tab)


def test_nothing_found_says_what_it_does_not_mean_without_javascript(
    chromium: Any, live_server: Any, tmp_path: Path, shots: Path, monkeypatch: Any
):
    canned(monkeypatch, Verdict.NOTHING_FOUND)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    choose_and_send(page, live_server.url, a_picture(tmp_path))
    expect(headline(page)).to_contain_text("Nothing found")
    expect(page.get_by_text("Most files carry no mark at all")).to_be_visible()
    page.get_by_text("Is this wrong? Tell us").click()
    page.get_by_label("What should we know?").fill("It is AI.")
    page.screenshot(path=shots / "nothing-found-no-script.png", full_page=True)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Your report was sent")).to_be_visible()
    context.close()


def test_no_file_and_rubbish_are_told_apart(tab: Page, live_server: Any, tmp_path: Path):
    tab.goto(f"{live_server.url}/verify/")
    tab.get_by_role("button", name="Check this file").click()
    expect(headline(tab)).to_have_text("Choose a video, sound or picture first.")
    (tmp_path / "notes.mp4").write_bytes(b"these are my notes" * 100)
    tab.get_by_label("Your file").set_input_files(tmp_path / "notes.mp4")
    tab.get_by_role("button", name="Check this file").press("Enter")
    expect(headline(tab)).to_contain_text("not a file we can open", timeout=90_000)
    assert_accessible(tab)


def test_a_dropped_file_is_checked_at_once(tab: Page, live_server: Any, monkeypatch: Any):
    canned(monkeypatch, Verdict.NOTHING_FOUND)
    tab.goto(f"{live_server.url}/verify/")
    tab.evaluate(
        """() => { const data = new DataTransfer();
        data.items.add(new File(["rubbish ".repeat(50)], "dropped.mp4", { type: "video/mp4" }));
        document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true })); }"""
    )
    expect(headline(tab)).to_contain_text("Nothing found")
    expect(tab.get_by_text("dropped.mp4").first).to_be_visible()
