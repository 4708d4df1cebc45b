"""What the API takes and gives. `submit` checks everything again and has the last word."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from byline.generation.models import GenerationRequest
from byline.safety.review import rules


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    help = serializers.CharField()


class GenerationCreateSerializer(serializers.Serializer[Any]):
    prompt = serializers.CharField(max_length=2000, help_text="What the clip shows.")
    voice_over = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    title = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    brand = serializers.CharField(max_length=64, required=False, default="byline")
    seed = serializers.IntegerField(
        min_value=0, max_value=2**32 - 1, required=False, allow_null=True, default=None
    )
    seconds = serializers.FloatField(min_value=1, max_value=60, required=False, default=6.0)
    debias = serializers.BooleanField(
        required=False,
        default=True,
        help_text="Balance people whom the prompt leaves open. False keeps the prompt as it is.",
    )
    rewrite = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="A proposal of POST /rewrites, to answer it."
    )
    edited_prompt = serializers.CharField(
        max_length=2000,
        required=False,
        allow_blank=True,
        default="",
        help_text="Your own wording instead of the proposed one; it is moderated, too.",
    )
    debias_reason = serializers.CharField(
        max_length=1000,
        required=False,
        allow_blank=True,
        default="",
        help_text="Why the proposal is edited or refused, or an invented person's looks are changed.",
    )
    negative_prompt = serializers.CharField(
        max_length=1000, required=False, allow_blank=True, default="", help_text="What is not to be seen."
    )
    operation = serializers.CharField(
        max_length=40,
        required=False,
        default="text_to_video",
        help_text="One of GET /controls; most others work on inputs.",
    )
    inputs = serializers.DictField(
        required=False,
        default=dict,
        help_text='Ids of POST /inputs by role: {"first": id, "references": [id, ...]}.',
    )
    options = serializers.DictField(
        required=False, default=dict, help_text="Controls by name; GET /controls lists them."
    )
    references = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        default=list,
        help_text='{"kind": "voice" or "face", "subject": "...", "sha256": "..."}; each needs a consent.',
    )


class FeedbackSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(read_only=True)
    due_at = serializers.DateTimeField(read_only=True, help_text="By when a person decides.")
    kind = serializers.ChoiceField(choices=[])
    message = serializers.CharField(max_length=2000, help_text="What is wrong. Name no person.")
    contact = serializers.CharField(
        max_length=254,
        required=False,
        allow_blank=True,
        default="",
        help_text="Where to answer, if you like.",
    )
    country = serializers.ChoiceField(
        choices=[],
        required=False,
        allow_blank=True,
        default="",
        help_text="Where you are; without it the shortest legal time holds.",
    )
    verdict = serializers.RegexField(
        r"\A[a-z_]{0,32}\Z", required=False, allow_blank=True, default="", help_text="The report's verdict."
    )
    record = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="The report's record, if it names one."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = rules.load()
        self.fields["kind"].choices = list(chosen.report_kinds.items())  # type: ignore[attr-defined]
        self.fields["country"].choices = list(chosen.countries.items())  # type: ignore[attr-defined]


class StageSerializer(serializers.Serializer[Any]):
    stage = serializers.CharField()
    verdict = serializers.CharField()
    seconds = serializers.FloatField()
    checks = serializers.ListField(child=serializers.DictField())


class RewriteSerializer(serializers.Serializer[Any]):
    decision = serializers.CharField(help_text="automatic, accepted, edited, refused or left")
    original = serializers.CharField()
    final = serializers.CharField()
    people = serializers.IntegerField(help_text="People whom the rewrite described.")
    left = serializers.CharField(help_text="Why nothing was rewritten, if so.")


class FiredSerializer(serializers.Serializer[Any]):
    category = serializers.CharField()
    clause = serializers.CharField()
    help = serializers.CharField(help_text="What to change.")
    text = serializers.CharField(help_text="Which text: prompt, voice_over, title ...")
    view = serializers.CharField(help_text="raw: as it was written; otherwise as it was understood.")
    words = serializers.ListField(child=serializers.CharField())


class GenerationSerializer(serializers.ModelSerializer[GenerationRequest]):
    fired = serializers.SerializerMethodField()
    stages = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    credentials_url = serializers.SerializerMethodField()
    rewrite = serializers.SerializerMethodField()
    controls = serializers.SerializerMethodField()

    class Meta:
        model = GenerationRequest
        fields = [
            "id",
            "state",
            "title",
            "brand",
            "seed",
            "operation",
            "take_set",
            "controls",
            "progress",
            "stage",
            "message",
            "created_at",
            "updated_at",
            "error",
            "fired",
            "stages",
            "credentials_url",
            "rewrite",
        ]
        read_only_fields = fields

    @extend_schema_field(FiredSerializer(many=True))
    def get_fired(self, request: GenerationRequest) -> list[dict[str, Any]]:
        """The words that moderation stopped at. They are the requester's own, and told to nobody else."""
        asked = self.context.get("request")
        if asked is None or asked.user.get_username() != request.requester or request.stage != "moderate":
            return []
        run = request.runs.filter(stage="moderate", current=True).first()
        found = run.produces.get("fired", []) if run else []
        told = ("category", "clause", "help", "text", "view", "words")
        return [{name: item[name] for name in told} for item in found]

    @extend_schema_field(serializers.DictField(help_text="By control: its value and who carried it out."))
    def get_controls(self, request: GenerationRequest) -> dict[str, Any]:
        run = request.runs.filter(stage="engine", current=True).first()
        return dict(run.evidence.get("controls", {})) if run else {}

    @extend_schema_field(StageSerializer(many=True))
    def get_stages(self, request: GenerationRequest) -> list[dict[str, Any]]:
        return [
            {
                "stage": run.stage,
                "verdict": run.verdict,
                "seconds": run.seconds,
                "checks": run.checks,
            }
            for run in request.runs.filter(current=True)
        ]

    @extend_schema_field(RewriteSerializer(allow_null=True))
    def get_rewrite(self, request: GenerationRequest) -> dict[str, Any] | None:
        kept = getattr(request, "rewrite", None)
        if kept is None:
            return None
        final = {"edited": request.edited_prompt, "refused": kept.original}.get(kept.decision, kept.proposed)
        return {
            "decision": kept.decision,
            "original": kept.original,
            "final": final,
            "people": len(kept.draws),
            "left": kept.left,
        }

    def get_error(self, request: GenerationRequest) -> dict[str, str] | None:
        return request.error or None

    def get_credentials_url(self, request: GenerationRequest) -> str | None:
        from byline.platform.links import credentials_url

        return credentials_url(request)
