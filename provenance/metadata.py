"""What the file says of itself in words of IPTC: one set of fields, as `cawg.metadata` and as XMP.

Promises (IPTC Photo Metadata 2025.1, Video Metadata Hub): DigitalSourceType, AISystemUsed and
AISystemVersionUsed always; AIPromptInformation and AIPromptWriterName only from a PromptDisclosure,
which the caller gives when an operator chose to publish prompts. `read_xmp` takes a stranger's packet:
no document type, no entities, bounded in size, and never an address that is followed.
Left out: where a packet stands in a file (embedding.py); metadata of others is not copied.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from byline.provenance.actions import IPTC, MAX_TEXT

IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PREFIXES = {IPTC_EXT: "Iptc4xmpExt", TC260: "TC260"}
MAX_PACKET = 60_000  # one JPEG segment
_MAX_PROMPT = 4200  # two prompts of 2,000 characters, and what they are called
_NAMES = (
    "DigitalSourceType",
    "AISystemUsed",
    "AISystemVersionUsed",
    "AIPromptInformation",
    "AIPromptWriterName",
)


@dataclass(frozen=True)
class PromptDisclosure:
    """The prompt as it will be published, who wrote it ("" leaves the name out), and what the model was
    given instead where the prompt was rewritten (`given`)."""

    prompt: str
    writer: str = ""
    given: str = ""

    @property
    def text(self) -> str:
        """Both prompts, or the one that there is."""
        if self.given in ("", self.prompt):
            return self.prompt
        return f"Written: {self.prompt}\nGiven to the model: {self.given}"


@dataclass(frozen=True)
class XmpFacts:
    """What an XMP packet says about AI: IPTC fields by name, and the text of a TC260:AIGC label."""

    iptc: Mapping[str, str]
    aigc: str = ""


def fields(
    source_type: str, models: Sequence[tuple[str, str]], prompt: PromptDisclosure | None = None
) -> dict[str, str]:
    """IPTC field -> value. `models` are (name, version) of what took part."""
    found = {"DigitalSourceType": IPTC + source_type}
    if models:
        found["AISystemUsed"] = ", ".join(name for name, _ in models)[:MAX_TEXT]
        found["AISystemVersionUsed"] = ", ".join(version for _, version in models)[:MAX_TEXT]
    if prompt is not None:
        found["AIPromptInformation"] = prompt.text[:_MAX_PROMPT]
        if prompt.writer:
            found["AIPromptWriterName"] = prompt.writer[:MAX_TEXT]
    return found


def description(
    source_type: str, models: Sequence[tuple[str, str]], prompt: PromptDisclosure | None = None
) -> dict[str, Any]:
    """The data of `cawg.metadata` (CAWG Metadata 1.1): JSON-LD with the fields above."""
    said = fields(source_type, models, prompt)
    return {"@context": {"Iptc4xmpExt": IPTC_EXT}, **{f"Iptc4xmpExt:{name}": said[name] for name in said}}


def xmp_packet(said: Mapping[str, str], *, aigc: str = "") -> bytes:
    """An XMP packet (ISO 16684-1) with these IPTC fields and, when given, a TC260:AIGC label."""
    inside = "".join(
        f"<Iptc4xmpExt:{name}>{_text(value)}</Iptc4xmpExt:{name}>" for name, value in said.items()
    )
    if aigc:
        inside += f"<TC260:AIGC>{_text(aigc)}</TC260:AIGC>"
    spaces = "".join(f' xmlns:{prefix}="{address}"' for address, prefix in _PREFIXES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about=""{spaces}>{inside}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def _text(value: str) -> str:
    """Escaped, without the characters that XML 1.0 cannot hold."""
    return escape("".join(c for c in value if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff")))


def read_xmp(packet: bytes) -> XmpFacts:
    """What a packet says about AI. Empty facts for anything that is no harmless packet."""
    if len(packet) > MAX_PACKET or b"<!" in packet:  # <!DOCTYPE, <!ENTITY: nothing that XMP needs
        return XmpFacts({})
    try:
        root = ElementTree.fromstring(packet)  # noqa: S314 - no document type gets here
    except (ElementTree.ParseError, ValueError, RecursionError):
        return XmpFacts({})
    iptc: dict[str, str] = {}
    aigc = ""
    for element in root.iter():
        for name in _NAMES:
            key = f"{{{IPTC_EXT}}}{name}"
            if element.tag == key:
                iptc.setdefault(name, _value(element))
            elif key in element.attrib:
                iptc.setdefault(name, element.attrib[key][:_MAX_PROMPT])
        label = f"{{{TC260}}}AIGC"
        if element.tag == label:
            aigc = aigc or "".join(element.itertext())
        elif label in element.attrib:
            aigc = aigc or element.attrib[label]
    return XmpFacts(iptc, aigc)


def _value(element: ElementTree.Element) -> str:
    return (element.get(f"{{{_RDF}}}resource") or "".join(element.itertext())).strip()[:_MAX_PROMPT]
