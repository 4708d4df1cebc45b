"""Looks at and listens to what was made, before it is marked, signed or shown.

Each function returns `byline.safety.checks.Check`: "unavailable" when its library is not installed
or the input is outside what it can judge ("not checked"), "failed" when it broke while running.
"""
