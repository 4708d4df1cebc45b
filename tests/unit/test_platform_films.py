"""Films over the API: what is accepted, what is answered, what is refused with a code and help."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from byline.generation.films.rows import Film
from byline.generation.models import GenerationRequest

pytestmark = pytest.mark.django_db
FILMS = "/api/v1/films"
BOARD = {
    "version": 1,
    "title": "A storm",
    "language": "en-us",
    "shots": [
        {"title": "Sea", "seconds": 4, "visual": "A red boat on the water.", "audio": ""},
        {"title": "Town", "seconds": 4, "visual": "A quiet street in the city.", "audio": "The town waits."},
    ],
}
LONG = {**BOARD["shots"][0], "seconds": 60}


@pytest.fixture
def editor(client: Client) -> Client:
    made = User.objects.create_user("editor")
    made.user_permissions.add(Permission.objects.get(codename="add_generationrequest"))
    client.force_login(made)
    return client


def send(client: Client, address: str, method: str = "post", **data: Any) -> Any:
    return getattr(client, method)(address, data, content_type="application/json")


def test_a_film_is_given_changed_retaken_and_made(editor: Client) -> None:
    answer = send(editor, FILMS, storyboard=BOARD, seed=5)
    assert answer.status_code == 201, answer.json()
    film = answer.json()
    address = f"{FILMS}/{film['id']}"
    assert (film["version"], film["seeds"], film["owner"]) == (1, [5, 6], "editor")
    assert [step["state"] for step in film["steps"]] == ["made", "open", "open", "open", "open"]
    changed = {**BOARD, "shots": [BOARD["shots"][0], {**BOARD["shots"][1], "visual": "A lamp at night."}]}
    film = send(editor, address, "patch", version=1, storyboard=changed).json()
    assert (film["version"], film["versions"][1]["shots"]) == (2, [2])
    film = send(editor, f"{address}/shots/1/retake", seed=77).json()
    assert film["seeds"] == [77, 6]
    made = send(editor, f"{address}/make")
    assert made.status_code == 202, made.json()
    row = GenerationRequest.objects.get(pk=made.json()["id"])
    assert (str(row.film_id), len(row.scenes), row.requester) == (film["id"], 2, "editor")
    assert send(editor, f"{address}/make").json()["code"] == "film_busy"
    steps = {step["name"]: step for step in editor.get(address).json()["steps"]}
    assert (steps["assemble"]["state"], steps["assemble"]["request"]) == ("submitted", str(row.pk))
    decided = send(editor, f"{address}/steps/script/decide", decision="approve").json()["steps"][0]
    assert (decided["state"], decided["decided_by"]) == ("approved", "editor")


def test_a_brief_becomes_a_draft(editor: Client) -> None:
    answer = send(editor, FILMS, brief="How a storm forms and how a coastal town gets ready.", seconds=30)
    assert answer.status_code == 201, answer.json()
    assert answer.json()["storyboard"]["writer"]["name"]
    assert answer.json()["versions"][0]["change"] == "drafted"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "invalid"),
        ({"storyboard": BOARD, "brief": "Both."}, "invalid"),
        ({"storyboard": {**BOARD, "shots": []}}, "invalid_storyboard"),
        ({"storyboard": {**BOARD, "shots": BOARD["shots"] * 61}}, "invalid_storyboard"),
        (
            {"storyboard": {**BOARD, "shots": [{**BOARD["shots"][0], "seconds": 60}] * 4}},
            "invalid_storyboard",
        ),
        ({"storyboard": {**BOARD, "extra": 1}}, "invalid_storyboard"),
        ({"storyboard": "a text"}, "invalid_storyboard"),
        ({"storyboard": {**BOARD, "shots": [{**BOARD["shots"][0], "visual": "x\x00y"}]}}, "invalid_input"),
        ({"storyboard": BOARD, "options": {"shots": 3}}, "invalid_input"),
        ({"storyboard": BOARD, "options": {"nonsense": 3}}, "invalid_input"),
        ({"storyboard": BOARD, "brand": "no-such-brand"}, "unknown_brand"),
    ],
)
def test_what_cannot_be_made_is_a_400_with_help(editor: Client, data: dict[str, Any], code: str) -> None:
    answer = send(editor, FILMS, **data)
    assert answer.status_code == 400, answer.json()
    assert answer.json()["code"] == code
    assert answer.json()["help"]
    assert not Film.objects.exists()


def test_refusals_name_what_is_wrong(editor: Client) -> None:
    film = send(editor, FILMS, storyboard=BOARD).json()
    address = f"{FILMS}/{film['id']}"
    answers = [
        send(editor, address, "patch", version=3, storyboard=BOARD),
        send(editor, f"{address}/shots/3/retake"),
        send(editor, f"{address}/make", shots=[9]),
        send(editor, f"{address}/steps/assemble/decide", decision="approve"),
        send(editor, f"{address}/steps/script/decide", decision="reject"),
        send(editor, f"{address}/steps/nonsense/decide", decision="approve"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "stale_version"),
        (400, "invalid_input"),
        (400, "invalid_input"),
        (409, "step_refused"),
        (400, "invalid_input"),
        (400, "invalid_input"),
    ]
