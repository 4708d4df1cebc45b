"""Every public and API address of the product; a host project includes this under a prefix of its own.

The editors' screens are not here: Wagtail finds them through its hooks (platform/cms).
"""

from django.urls import include, path

from byline.platform import audit_pages, pages
from byline.platform.api import softbinding
from byline.platform.review import pages as review

app_name = "byline"

urlpatterns = [
    path("api/v1/", include("byline.platform.api.urls")),
    path("credentials/<uuid:public_id>/", pages.credentials, name="credentials"),
    path("credentials/<uuid:public_id>/clip.mp4", pages.clip, name="clip"),
    path("credentials/<uuid:public_id>/captions.<str:form>", pages.captions, name="captions"),
    path("credentials/<uuid:public_id>/manifest.c2pa", pages.manifest, name="manifest"),
    path("credentials/<uuid:public_id>/crjson.json", pages.crjson, name="crjson"),
    path("verify/", pages.verify, name="verify-page"),
    path("verify/report/", review.report, name="report"),
    path("credentials/<uuid:public_id>/report/", review.report_clip, name="report-clip"),
    path("reports/<uuid:report_id>/", review.follow, name="report-status"),
    path("softbinding/v1/matches/byBinding", softbinding.ByBinding.as_view(), name="by-binding"),
    path("softbinding/v1/matches/byContent", softbinding.ByContent.as_view(), name="by-content"),
    path("softbinding/v1/manifests/<str:manifest_id>", softbinding.Manifest.as_view(), name="manifest-by-id"),
    path(
        "softbinding/v1/services/supportedAlgorithms",
        softbinding.SupportedAlgorithms.as_view(),
        name="supported-algorithms",
    ),
    path("audit/checkpoint", audit_pages.checkpoint, name="checkpoint"),
    path("audit/tile/<path:address>", audit_pages.resource, name="audit-tile"),
    path("audit/proof/consistency", audit_pages.consistency, name="audit-consistency"),
    path("audit/proof/inclusion", audit_pages.inclusion, name="audit-inclusion"),
]
