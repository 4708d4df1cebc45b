"""Renditions and edits of a finished clip: other shapes, formats, cuts, without generating anything again.

Each is a request of its own whose `master` is the finished one. It goes through the whole pipeline and is
moderated, checked for consent, screened, marked with an id of its own, logged, signed and read back; only
the stages that would make pictures or speech take up the master's, which were kept sealed (kept.py). The
master stands in its manifest as the parent. It is composed anew, so that title, captions and labels have
their right size and place in every shape.
"""
