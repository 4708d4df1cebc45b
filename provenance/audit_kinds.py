"""Kinds of audit entries that this room makes, imported when its app is ready."""

from byline.audit.kinds import Hex64, register

# Handing out the detection keys is worth remembering: who holds them can look for marks and write them.
register("provenance.exported", required={"records": int, "index": Hex64})
# A version of a published clip: the digest of its media, and the record of the clip it was made from.
register("provenance.rendition", required={"digest_rule": str, "digest": Hex64, "parent": str})
