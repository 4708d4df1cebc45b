"""Approvals of policy files."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("byline_safety", "0003_hashlists")]

    operations = [
        migrations.CreateModel(
            name="PolicyActivation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "sha256",
                    models.CharField(
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[0-9a-f]{64}\\Z", "64 lowercase hexadecimal digits are needed"
                            )
                        ],
                    ),
                ),
                ("version", models.CharField(max_length=100)),
                ("activated_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(sha256__regex="^[0-9a-f]{64}$"),
                        name="byline_safety_policy_sha256",
                    )
                ],
            },
        ),
    ]
