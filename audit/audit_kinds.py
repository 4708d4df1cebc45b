"""Kinds of entries that the log makes about itself, imported when the app is ready."""

from byline.audit.kinds import Hex64, register

register("audit.person_erased", required={})
# Entries moved to the archive and dropped here. `ranges` are [first, last] leaf indices; fsck asks for them.
register(
    "audit.retired",
    required={"before": str, "entries": int, "ranges": list, "archive": Hex64, "regime": str},
)
