from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from byline.platform.api import (
    audit,
    controls,
    fairness,
    films,
    inputs,
    quality,
    redress,
    renditions,
    review,
    takes,
    views,
)
from byline.platform.api.detect import Detect

urlpatterns = [
    path("generations", views.GenerationList.as_view(), name="generations"),
    path("generations/<uuid:generation_id>", views.GenerationDetail.as_view(), name="generation"),
    path(
        "generations/<uuid:generation_id>/cancel", views.GenerationCancel.as_view(), name="generation-cancel"
    ),
    path("generations/<uuid:generation_id>/story", audit.GenerationStory.as_view(), name="generation-story"),
    path("inputs", inputs.InputList.as_view(), name="inputs"),
    path("inputs/<uuid:input_id>", inputs.InputDetail.as_view(), name="input"),
    path("controls", controls.Controls.as_view(), name="controls"),
    path("takes", takes.TakeCreate.as_view(), name="takes"),
    path("takes/<uuid:take_set>", takes.TakeSet.as_view(), name="take-set"),
    path(
        "generations/<uuid:generation_id>/quality",
        quality.GenerationQuality.as_view(),
        name="generation-quality",
    ),
    path(
        "generations/<uuid:generation_id>/thumb", quality.GenerationThumb.as_view(), name="generation-thumb"
    ),
    path(
        "generations/<uuid:generation_id>/renditions",
        renditions.Renditions.as_view(),
        name="generation-renditions",
    ),
    path(
        "generations/<uuid:generation_id>/captions.<str:form>",
        renditions.Captions.as_view(),
        name="generation-captions",
    ),
    path("preferences", quality.Preferences.as_view(), name="preferences"),
    path("preferences/ratings", quality.Ratings.as_view(), name="ratings"),
    path("audit/entries", audit.EntryList.as_view(), name="audit-entries"),
    path("audit/entries/<int:entry>/proof", audit.EntryProof.as_view(), name="audit-proof"),
    path("films", films.FilmList.as_view(), name="films"),
    path("films/<uuid:film_id>", films.FilmDetail.as_view(), name="film"),
    path("films/<uuid:film_id>/shots/<int:shot>/retake", films.FilmRetake.as_view(), name="film-retake"),
    path("films/<uuid:film_id>/make", films.FilmMake.as_view(), name="film-make"),
    path("films/<uuid:film_id>/steps/<str:step>/decide", films.FilmDecide.as_view(), name="film-decide"),
    path("rewrites", fairness.Rewrites.as_view(), name="rewrites"),
    path("fairness", fairness.FairnessReport.as_view(), name="fairness"),
    path("verify", views.Verify.as_view(), name="verify"),
    path("detect", Detect.as_view(), name="detect"),
    path(
        "generations/<uuid:generation_id>/statements",
        redress.GenerationStatements.as_view(),
        name="generation-statements",
    ),
    path(
        "generations/<uuid:generation_id>/appeal",
        redress.GenerationAppeal.as_view(),
        name="generation-appeal",
    ),
    path("review/cases", review.CaseQueue.as_view(), name="review-cases"),
    path("review/cases/<uuid:case_id>", review.CaseDetail.as_view(), name="review-case"),
    path("review/cases/<uuid:case_id>/take", review.CaseTake.as_view(), name="review-take"),
    path("review/cases/<uuid:case_id>/put-back", review.CasePutBack.as_view(), name="review-put-back"),
    path("review/cases/<uuid:case_id>/assign", review.CaseAssign.as_view(), name="review-assign"),
    path("review/cases/<uuid:case_id>/decide", review.CaseDecide.as_view(), name="review-decide"),
    path("review/cases/<uuid:case_id>/unblur", review.CaseUnblur.as_view(), name="review-unblur"),
    path("review/cases/<uuid:case_id>/preview.jpg", review.CasePreview.as_view(), name="review-preview"),
    path("review/cases/<uuid:case_id>/clip.mp4", review.CaseClip.as_view(), name="review-clip"),
    path("review/metrics", review.ReviewMetrics.as_view(), name="review-metrics"),
    path("reports/<uuid:report_id>", redress.ReportStatus.as_view(), name="report-state"),
    path("reports/<uuid:report_id>/appeal", redress.ReportAppeal.as_view(), name="report-appeal"),
    path("declarations", redress.Declare.as_view(), name="declarations"),
    path("feedback", views.Feedback.as_view(), name="feedback"),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
]
