"""Who reviews: two groups that stand ready after `migrate`, for an administrator to put people in.

"Reviewers" take and decide cases and may take clips down; "Review leads" may also give cases to others.
Neither may generate, read everybody's requests or read the log. Groups that a site changed stay so.
"""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models.signals import post_migrate

REVIEWERS, LEADS = "Reviewers", "Review leads"
_REVIEW = (
    ("byline_safety", "view_case"),
    ("byline_safety", "review_case"),
    ("byline_platform", "view_statuschange"),
    ("byline_platform", "add_statuschange"),
    ("byline_provenance", "view_record"),
)
RIGHTS = {REVIEWERS: _REVIEW, LEADS: (*_REVIEW, ("byline_safety", "assign_case"))}


def connect() -> None:
    """Called when the app is ready."""
    post_migrate.connect(ensure, sender=apps.get_app_config("byline_safety"), dispatch_uid="byline.roles")


def ensure(using: str = "default", **signal: Any) -> None:
    """Make the groups that are missing, with their rights."""
    if not _accounts_are_ready(signal.get("apps", apps)):  # the state that was migrated to
        return  # `migrate byline_audit` alone, or half of the way: the last `migrate` makes them
    if not {"byline_platform", "byline_provenance"} <= {config.label for config in apps.get_app_configs()}:
        return
    for name, rights in RIGHTS.items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if not made:
            continue
        for label in {label for label, _ in rights}:  # theirs may not have been made yet
            create_permissions(apps.get_app_config(label), verbosity=0, using=using)
        for label, codename in rights:
            group.permissions.add(
                Permission.objects.using(using).get(content_type__app_label=label, codename=codename)
            )


def _accounts_are_ready(state: Any) -> bool:
    try:
        state.get_model("auth", "Group")
        kinds = state.get_model("contenttypes", "ContentType")
    except LookupError:
        return False
    return "name" not in {field.name for field in kinds._meta.get_fields()}  # before contenttypes 0002
