"""Decisions that people make: cases, their clocks, who may decide them, and what is said of it afterwards.

A case names what it is about by a plain id ("request:<uuid>", "record:<uuid>"): this room knows neither the
pipeline nor the public side. What a decision changes there is done by the caller's `carry_out`.
"""
