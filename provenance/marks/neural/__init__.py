"""Adapters for published neural marks: used when configured with weights, never fetched, never removed."""
