"""Watermarks for picture and speech: keyed, blind, payload-carrying, accepted only under FP < 1e-9."""
