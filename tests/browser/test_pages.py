"""What people see, in a real browser at desktop and phone width: brief, progress, story, verify.

Accessibility is checked with axe (WCAG 2.2 A and AA rules) on our own pages; in the CMS only the
part that is ours, because the frame around it is Wagtail's.
"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page, expect
from wagtail.models import Page as WagtailPage
from wagtail.models import Site

from byline.generation import submit
from byline.platform.cms.models import StoryPage

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


def test_a_stranger_verifies_a_file_with_the_keyboard(
    tab: Page, live_server: Any, make_clip: Any, tmp_path: Any
):
    from byline.generation import store

    clip = make_clip()
    tab.goto(f"{live_server.url}/verify/")
    assert_accessible(tab)
    tab.get_by_label("File").set_input_files(store.read_path(clip.file_sha256))
    tab.get_by_role("button", name="Verify").press("Enter")
    expect(tab.locator("#verdict")).to_contain_text("verified under the roots", timeout=60_000)
    assert tab.locator("#findings li").count() >= 3
    assert_accessible(tab)
