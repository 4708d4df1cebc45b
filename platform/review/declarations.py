"""What an uploader declares about a file, compared with what verification finds in it.

Promises: the file is verified in memory and not kept; the row holds its SHA-256, the declaration and the
verdict's name. "Not made by AI" beside a signature or mark of ours is a contradiction: a person decides, with
the grievance clock. "Nothing found" contradicts nothing: it never means "not made by AI".
"""

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from byline.audit import log
from byline.platform import inspection
from byline.safety.review import cases
from byline.safety.review.models import Case, Declaration

# Verdicts that lead to a clip of ours, all of which AI made (byline.provenance.verdicts).
_OURS = frozenset({"intact", "recovered", "similar", "tampered", "transplanted", "withdrawn", "taken_down"})


def declare(upload: UploadedFile, *, synthetic: bool, declarant: str) -> Declaration:
    """Record a declaration; a contradiction opens a case. What verification raises passes through."""
    with inspection.opened(upload, "") as file:
        answer = inspection.inspect(file)
    found = str(answer.report.get("verdict", ""))
    disagrees = not synthetic and found in _OURS
    with transaction.atomic():
        case = (
            cases.open_case(
                Case.Source.DECLARATION,
                f"upload:{answer.sha256}",
                actor=declarant,
                excluded=[declarant],
                facts={"declared": "not made by AI", "found": found},
            )
            if disagrees
            else None
        )
        made = Declaration.objects.create(
            sha256=answer.sha256,
            declarant=declarant,
            synthetic=synthetic,
            found=found,
            accepted=None if disagrees else True,
            case=case,
        )
        payload = {"file": answer.sha256, "synthetic": synthetic, "found": found}
        log.append("safety.declared", subject=f"declaration:{made.pk}", actor=declarant, payload=payload)
    return made


def settle(case: Case, accepted: bool) -> None:
    """What a person decided about the contradiction."""
    Declaration.objects.filter(case=case).update(accepted=accepted)
