"""Kinds of audit entries that this room makes, imported when its app is ready."""

from byline.audit.kinds import Hex64, register

# Handing out the detection keys is worth remembering: who holds them can look for marks and write them.
register("provenance.exported", required={"records": int, "index": Hex64})
