"""Films over the API: give a storyboard, read and change it, retake shots, make it, approve or reject steps.

A film is seen by its owner, and by accounts that may view every request; for anybody else there is none.
What is made of it are generations, with their own addresses. Nothing publishes here.
"""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListCreateAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from byline.generation import script
from byline.generation.films import authoring, steps
from byline.generation.films.rows import Film, FilmVersion
from byline.generation.models import MAX_SEED
from byline.generation.script import documents
from byline.generation.script.base import Wish
from byline.generation.script.storyboard import parse
from byline.platform.api.manners import OurManners
from byline.platform.api.serializers import ErrorSerializer, GenerationSerializer
from byline.platform.api.views import MayGenerate

_REFUSALS = {400: ErrorSerializer, 403: ErrorSerializer, 404: ErrorSerializer, 409: ErrorSerializer}


class FilmStepSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    state = serializers.CharField(help_text="open, made, approved, rejected, or the state of its request.")
    version = serializers.IntegerField()
    runs = serializers.IntegerField()
    actor = serializers.CharField()
    request = serializers.UUIDField(allow_null=True, help_text="The generation that the step asked for.")
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    result = serializers.DictField()

    def to_representation(self, step: Any) -> dict[str, Any]:
        names = ("name", "version", "runs", "actor", "decided_by", "decided_at", "reason", "result")
        return {name: getattr(step, name) for name in names} | {
            "state": step.standing(),
            "request": step.request_id,
        }


class FilmVersionSerializer(serializers.ModelSerializer[FilmVersion]):
    class Meta:
        model = FilmVersion
        fields = ("number", "change", "shots", "actor", "created_at")


class FilmSerializer(serializers.Serializer[Film]):
    id = serializers.UUIDField()
    owner = serializers.CharField()
    title = serializers.CharField()
    brand = serializers.CharField()
    profile = serializers.CharField()
    options = serializers.DictField()
    version = serializers.IntegerField()
    storyboard = serializers.DictField(help_text="As `byline script schema` describes it.")
    seeds = serializers.ListField(child=serializers.IntegerField())
    versions = FilmVersionSerializer(many=True)
    steps = FilmStepSerializer(many=True)

    def to_representation(self, film: Film) -> dict[str, Any]:
        current = film.current
        plain = {name: getattr(film, name) for name in ("id", "owner", "brand", "profile", "options")}
        return plain | {
            "title": current.storyboard["title"],
            "version": current.number,
            "storyboard": current.storyboard,
            "seeds": current.seeds,
            "versions": FilmVersionSerializer(film.versions.all(), many=True).data,
            "steps": FilmStepSerializer(film.steps.select_related("request"), many=True).data,
        }


class FilmCreateSerializer(serializers.Serializer[Any]):
    storyboard = serializers.JSONField(
        required=False, default=None, help_text="Or a brief to draft one from."
    )
    brief = serializers.CharField(required=False, allow_blank=True, default="", max_length=20_000)
    seconds = serializers.FloatField(
        required=False, allow_null=True, default=None, help_text="Of a draft; without it everything is said."
    )
    brand = serializers.CharField(max_length=64, required=False, default="byline")
    seed = serializers.IntegerField(
        min_value=0, max_value=MAX_SEED, required=False, allow_null=True, default=None
    )
    options = serializers.DictField(required=False, default=dict)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if (given["storyboard"] is None) == (not given["brief"].strip()):
            raise serializers.ValidationError("Give either a storyboard or a brief.")
        return given


class FilmChangeSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="The version that you edited; 409 if it is not the latest.")
    storyboard = serializers.JSONField()


class RetakeSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(required=False, allow_null=True, default=None)
    seed = serializers.IntegerField(
        min_value=0, max_value=MAX_SEED, required=False, allow_null=True, default=None
    )


class MakeSerializer(serializers.Serializer[Any]):
    shots = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        required=False,
        default=list,
        help_text="Some shots (from 1) as a private clip to look at; none: the whole film.",
    )


class DecisionSerializer(serializers.Serializer[Any]):
    decision = serializers.ChoiceField(choices=[steps.APPROVE, steps.REJECT])
    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


def visible_to(user: Any) -> QuerySet[Film]:
    """Own films; everyone's for accounts that may view every request."""
    every = Film.objects.order_by("-created_at")
    if user.has_perm("byline_generation.view_generationrequest"):
        return every
    return every.filter(owner=user.get_username())


def _found(request: Request, film_id: UUID) -> Film:
    film = visible_to(request.user).filter(pk=film_id).first()
    if film is None:
        raise authoring.FilmNotFound("There is no such film.")
    return film


def _given(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


class FilmList(OurManners, ListCreateAPIView[Film]):
    permission_classes = [IsAuthenticated, MayGenerate]
    serializer_class = FilmSerializer

    def get_queryset(self) -> QuerySet[Film]:
        return visible_to(self.request.user)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return FilmCreateSerializer if self.request.method == "POST" else FilmSerializer

    @extend_schema(request=FilmCreateSerializer, responses={201: FilmSerializer, **_REFUSALS})
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Begin a film from a storyboard, or from a brief to draft one of. Nothing is made yet."""
        given = _given(FilmCreateSerializer, request)
        seconds, plain = given.pop("seconds"), given.pop("storyboard")
        if plain is None:
            storyboard = script.draft(documents.from_text(given["brief"]), Wish(seconds=seconds))
        else:
            storyboard = parse(plain)
        film = authoring.create(owner=request.user.get_username(), storyboard=storyboard, **given)
        return Response(FilmSerializer(film).data, status=status.HTTP_201_CREATED)


class FilmDetail(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(responses={200: FilmSerializer, **_REFUSALS})
    def get(self, request: Request, film_id: UUID) -> Response:
        """A film: its storyboard as it stands, who changed it, and how each step stands."""
        return Response(FilmSerializer(_found(request, film_id)).data)

    @extend_schema(request=FilmChangeSerializer, responses={200: FilmSerializer, **_REFUSALS})
    def patch(self, request: Request, film_id: UUID) -> Response:
        """Give the storyboard in a new wording. Shots that are not touched are not made again."""
        film, given = _found(request, film_id), _given(FilmChangeSerializer, request)
        authoring.edit(
            film.pk,
            parse(given["storyboard"]),
            actor=request.user.get_username(),
            expected=given["version"],
        )
        return Response(FilmSerializer(film).data)


class FilmRetake(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(request=RetakeSerializer, responses={200: FilmSerializer, **_REFUSALS})
    def post(self, request: Request, film_id: UUID, shot: int) -> Response:
        """Take this shot again with another seed, when the film is next made."""
        film, given = _found(request, film_id), _given(RetakeSerializer, request)
        authoring.retake(
            film.pk,
            shot,
            actor=request.user.get_username(),
            seed=given["seed"],
            expected=given["version"],
        )
        return Response(FilmSerializer(film).data)


class FilmMake(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(request=MakeSerializer, responses={202: GenerationSerializer, **_REFUSALS})
    def post(self, request: Request, film_id: UUID) -> Response:
        """Make the whole film, or some shots to look at. Answers 202 with the generation to poll."""
        film, given = _found(request, film_id), _given(MakeSerializer, request)
        actor = request.user.get_username()
        if given["shots"]:
            made = steps.render(film.pk, actor=actor, shots=given["shots"])
        else:
            made = steps.assemble(film.pk, actor=actor)
        return Response(GenerationSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class FilmDecide(OurManners, APIView):
    permission_classes = [IsAuthenticated, MayGenerate]

    @extend_schema(request=DecisionSerializer, responses={200: FilmSerializer, **_REFUSALS})
    def post(self, request: Request, film_id: UUID, step: str) -> Response:
        """Approve or reject what a step made. Your name is stored; the film is not published by it."""
        film, given = _found(request, film_id), _given(DecisionSerializer, request)
        steps.decide(
            film.pk, step, given["decision"], actor=request.user.get_username(), reason=given["reason"]
        )
        return Response(FilmSerializer(film).data)
