"""A receipt as PDF: plain text in reading order, with the signed JSON attached.

Promises: real text in one column (nothing is a picture), language and title set, headings before
what they head, so that a screen reader reads it from top to bottom; the attachment `receipt.json` is
the signed receipt, byte for byte. The only file that imports reportlab (BSD licence).
Left out: a PDF signature and structure tags (PDF/UA): reportlab's free edition writes none.
"""

import io
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

TITLE = "Receipt of a verification"


def render(body: Mapping[str, Any], key_name: str, attachment: bytes) -> bytes:
    """The PDF of a receipt's body, signed by the key of this name, with the JSON file attached."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    styles = getSampleStyleSheet()
    story: list[Any] = []

    def add(style: str, text: str) -> None:
        story.append(Paragraph(escape(text), styles[style]))

    add("Title", TITLE)
    result = body["result"]
    add("Heading2", "Result")
    add("BodyText", str(result["summary"]))
    add("BodyText", f"Verdict: {result['verdict']} (exit code {result['exit_code']}).")
    add("Heading2", "What was verified, where and when")
    add("BodyText", f"SHA-256 of the content: {body['content']['sha256']}")
    add(
        "BodyText", f"Detector: {body['detector']['url']}. Time: {body['issued']} (the detector's own clock)."
    )
    used = ", ".join(f"{name} {number}" for name, number in body["detector"]["software"].items())
    add("BodyText", f"Software: {used}.")
    if body["record"]:
        add("BodyText", f"Public record: {body['record']}")
    add("Heading2", "Techniques")
    for one in body["techniques"]:
        add("Heading4", f"{one['technique']}: {one['status']}")
        add("BodyText", f"{one['text']}.")
        add("BodyText", f"Method: {one['method']}. Limit: {one['limit']} Error rate: {one['error_rate']}.")
    add("Heading2", "What this receipt means")
    add("BodyText", str(body["meaning"]))
    story.append(Spacer(1, 6))
    add(
        "BodyText",
        f"The attached file receipt.json is the signed receipt (Ed25519, key {key_name}). Check it with: "
        "byline receipt verify receipt.json --trust trust.json",
    )
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, title=TITLE, author="Byline", subject="Content provenance", lang="en"
    )
    document.build(story, onFirstPage=lambda canvas, _: _attach(canvas, attachment))
    return out.getvalue()


def _attach(canvas: Any, attachment: bytes) -> None:
    """Embed receipt.json (ISO 32000-1 section 7.11.4): a file stream, its specification, a name tree."""
    from reportlab.pdfbase import pdfdoc

    pdf = canvas._doc
    stream = pdfdoc.PDFStream(
        dictionary=pdfdoc.PDFDictionary(
            {
                "Type": pdfdoc.PDFName("EmbeddedFile"),
                "Subtype": pdfdoc.PDFName("application/json"),
                "Params": pdfdoc.PDFDictionary({"Size": len(attachment)}),
            }
        ),
        content=attachment,
        filters=[],
    )
    specification = pdfdoc.PDFDictionary(
        {
            "Type": pdfdoc.PDFName("Filespec"),
            "F": pdfdoc.PDFString("receipt.json"),
            "UF": pdfdoc.PDFString("receipt.json"),
            "Desc": pdfdoc.PDFString("The signed receipt"),
            "AFRelationship": pdfdoc.PDFName("Data"),
            "EF": pdfdoc.PDFDictionary({"F": pdf.Reference(stream, "receiptFile")}),
        }
    )
    names = pdfdoc.PDFArray([pdfdoc.PDFString("receipt.json"), pdf.Reference(specification, "receiptSpec")])
    tree = pdfdoc.PDFDictionary({"Names": names})
    pdf.Catalog.Names = pdfdoc.PDFDictionary({"EmbeddedFiles": tree})
