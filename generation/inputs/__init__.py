"""Pictures, masks, clips and songs that an editor brings: taken in, kept, looked at, used and forgotten."""
