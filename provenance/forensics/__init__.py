"""What can be said of a stranger's file beyond its provenance: cues, calibrated or silent."""
