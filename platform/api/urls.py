from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from byline.platform.api import audit, views
from byline.platform.api.detect import Detect

urlpatterns = [
    path("generations", views.GenerationList.as_view(), name="generations"),
    path("generations/<uuid:generation_id>", views.GenerationDetail.as_view(), name="generation"),
    path(
        "generations/<uuid:generation_id>/cancel", views.GenerationCancel.as_view(), name="generation-cancel"
    ),
    path("generations/<uuid:generation_id>/story", audit.GenerationStory.as_view(), name="generation-story"),
    path("audit/entries", audit.EntryList.as_view(), name="audit-entries"),
    path("audit/entries/<int:entry>/proof", audit.EntryProof.as_view(), name="audit-proof"),
    path("verify", views.Verify.as_view(), name="verify"),
    path("detect", Detect.as_view(), name="detect"),
    path("feedback", views.Feedback.as_view(), name="feedback"),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
]
