"""The editor's way through the CMS, and the publish guard that no way of publishing gets around."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from wagtail.models import Page, Site

from byline.generation import store, submit
from byline.generation.models import GenerationRequest
from byline.platform.cms.models import StoryPage
from byline.platform.cms.views import ClipChooser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", password="correct horse battery"))
    return client


def waiting() -> GenerationRequest:
    return submit.submit(prompt="a red ball", requester="admin", wake_worker=lambda *_: None)


def draft_with(clip: GenerationRequest) -> StoryPage:
    story = StoryPage(
        title="Tide tonight", slug="tide", live=False, body=[("video", {"clip": clip, "caption": ""})]
    )
    root = Page.objects.filter(depth=2).first()
    root.add_child(instance=story)
    Site.objects.update(root_page=root)
    return story


def test_a_brief_becomes_a_request_with_a_status(admin: Client):
    brief = {"prompt": "a red ball", "brand": "byline", "seconds": "6", "debias": "on"}
    response = admin.post("/cms/generate/", brief)
    row = GenerationRequest.objects.get()
    assert response.url == f"/cms/generate/{row.pk}/"
    assert (row.debias, row.requester) == (True, "admin")
    assert admin.get(response.url).status_code == 200
    status = admin.get(f"{response.url}status/").json()
    assert (status["state"], status["terminal"], status["playable"]) == ("submitted", False, False)
    assert admin.get(f"{response.url}clip.mp4").status_code == 404


def test_a_bad_brief_says_what_to_correct(admin: Client):
    response = admin.post("/cms/generate/", {"prompt": "", "brand": "byline", "seconds": "600"})
    assert response.status_code == 200
    assert set(response.context["form"].errors) == {"prompt", "seconds"}
    assert not GenerationRequest.objects.exists()


def test_accounts_without_the_permission_do_not_see_the_screen(client: Client):
    from django.contrib.auth.models import Permission

    user = User.objects.create_user("reader", password="correct horse battery")
    user.user_permissions.set(Permission.objects.filter(codename="access_admin"))
    client.force_login(user)
    assert client.get("/cms/generate/").status_code in {302, 403}


def test_a_page_with_an_unready_clip_cannot_go_live_by_any_way(admin: Client):
    story = draft_with(waiting())
    with pytest.raises(ValidationError):
        story.save_revision().publish()
    story.live = True
    with pytest.raises(ValidationError):
        story.save()
    body = {
        "title": story.title,
        "slug": story.slug,
        "body-count": "1",
        "body-0-deleted": "",
        "body-0-order": "0",
        "body-0-type": "video",
        "body-0-id": "",
        "body-0-value-clip": str(GenerationRequest.objects.get().pk),
        "body-0-value-caption": "",
        "comments-TOTAL_FORMS": "0",
        "comments-INITIAL_FORMS": "0",
        "action-publish": "1",
    }
    response = admin.post(f"/cms/pages/{story.pk}/edit/", body, follow=True)
    assert "cannot be published" in response.content.decode()
    assert not StoryPage.objects.get(pk=story.pk).live


def test_the_chooser_offers_finished_clips_only(make_clip: Any):
    waiting()
    ready = make_clip()
    assert list(ClipChooser("x").get_object_list()) == [ready]


def test_publishing_the_page_publishes_the_clip_with_label_and_credentials(client: Client, make_clip: Any):
    clip = make_clip(title="High tide")
    story = draft_with(clip)
    public = client.get(f"/credentials/{clip.result['record']}/")
    assert public.status_code == 404  # not yet published: looks like any unknown id
    story.save_revision().publish()
    clip.refresh_from_db()
    assert clip.state == "published"
    page = client.get("/tide/").content.decode()
    assert "AI-generated video." in page
    assert f"/credentials/{clip.result['record']}/" in page
    credentials = client.get(f"/credentials/{clip.result['record']}/").content.decode()
    assert clip.file_sha256 in credentials
    assert clip.prompt not in credentials
    played = b"".join(client.get(f"/credentials/{clip.result['record']}/clip.mp4").streaming_content)
    assert played == store.read_path(clip.file_sha256).read_bytes()


def test_a_clip_whose_bytes_changed_stops_the_page(make_clip: Any):
    clip = make_clip()
    story = draft_with(clip)
    file = store.path_of(clip.file_sha256)
    file.chmod(0o600)
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValidationError):
        story.save_revision().publish()
    clip.refresh_from_db()
    assert clip.state == "ready"
    assert not StoryPage.objects.get(pk=story.pk).live


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("taken_down", "rights", "taken down"),
        ("withdrawn", "consent_withdrawn", "Consent was withdrawn"),
        ("unpublished", "editorial", "not available"),
    ],
)
def test_a_live_page_drops_a_clip_that_is_gone_and_says_why(
    client: Client, make_clip: Any, state: str, reason: str, words: str
):
    from byline.platform import status

    clip = make_clip(title="High tide")
    draft_with(clip).save_revision().publish()
    record = clip.result["record"]
    assert "<video" in client.get("/tide/").content.decode()
    status.change(record, state, reason=reason, actor="user:9", statement="Somebody asked for it.")
    page = client.get("/tide/").content.decode()
    assert "<video" not in page
    assert words in page
    public = state != "unpublished"  # silence about that one, as everywhere
    assert ("Somebody asked for it." in page) == public
    assert (f"/credentials/{record}/" in page) == public
    status.change(record, "relabelled", reason="mislabelled", actor="user:9", statement="The year was wrong.")
    again = client.get("/tide/").content.decode()
    assert "<video" in again
    assert "The year was wrong." in again


def test_controls_and_a_first_picture_go_from_the_brief_to_the_request(admin: Client, tmp_path: Path):
    Image.new("RGB", (64, 48), (200, 40, 40)).save(tmp_path / "a.png")
    brief = {
        "prompt": "a red ball rolls", "brand": "byline", "seconds": "6", "aspect": "9:16",
        "camera": "zoom_in", "motion": "0.5", "fx": "noir@1", "negative_prompt": "rain",
        "picture": SimpleUploadedFile("a.png", (tmp_path / "a.png").read_bytes()),
    }  # fmt: skip
    refused = admin.post("/cms/generate/", brief)
    assert refused.status_code == 200
    assert "licence is one line" in refused.content.decode()
    assert not GenerationRequest.objects.exists()
    rights = {"picture_licence": "CC0-1.0", "picture_source": "desk", "picture_declared": "on"}
    brief["picture"].seek(0)
    kept = {**brief, **rights, "debias_reason": "it shows nobody"}
    assert admin.post("/cms/generate/", kept).status_code == 302
    row = GenerationRequest.objects.get()
    assert row.operation == "image_to_video"
    assert [item["role"] for item in row.inputs] == ["first"]
    wanted = {"aspect": "9:16", "camera": "zoom_in", "motion": 0.5, "fx": "noir@1"}
    assert wanted.items() <= row.options.items()
    assert row.negative_prompt == "rain"
