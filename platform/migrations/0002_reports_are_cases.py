"""Reports from the public become cases of review; the table that held them goes."""

from datetime import timedelta

from django.db import migrations


def to_cases(apps, schema_editor):
    feedback = apps.get_model("byline_platform", "Feedback")
    case_model = apps.get_model("byline_safety", "Case")
    report_model = apps.get_model("byline_safety", "Report")
    open_cases = {}
    for row in feedback.objects.order_by("created"):
        subject = f"record:{row.record}" if row.record else ""
        handled = row.handled_at is not None
        case = None if handled else open_cases.get(subject)
        if case is None:
            due = row.created + timedelta(hours=72)
            case = case_model.objects.create(
                source="report",
                subject=subject,
                kind=row.kind,
                state="closed" if handled else "open",
                closed_because=f"answered before cases: {row.outcome}"[:200] if handled else "",
                priority=3,
                clocks=[
                    {
                        "regime": "house",
                        "duty": "decide",
                        "due": due.isoformat(),
                        "source": "House rule, set when the report became a case",
                    }
                ],
                opened_at=row.created,
                not_before=row.created,
                due_at=due,
                settled_at=row.handled_at,
            )
            if not handled and subject:
                open_cases[subject] = case
        report_model.objects.create(
            id=row.id,
            case=case,
            kind=row.kind,
            message=row.message,
            contact=row.contact,
            verdict=row.verdict,
            created=row.created,
        )


class Migration(migrations.Migration):
    dependencies = [
        ("byline_platform", "0001_public_side"),
        ("byline_safety", "0002_review"),
    ]

    operations = [
        migrations.RunPython(to_cases, migrations.RunPython.noop),
        migrations.DeleteModel(name="Feedback"),
    ]
