"""The stages, one small file per room they speak to. Their order is in generation/pipeline.py.

A stage reads the request and the artefact, calls one room, and says what it found. It writes no
row and decides nothing that the policy or the verdict rules decide. Heavy libraries are imported
inside the functions, so that a light worker starts without them.
"""
