"""Styles: a word of the request, a fixed phrase for the model. Nothing of it needs to be moderated again."""

STYLES = {
    "flat": "in a flat illustration style",
    "watercolour": "as a watercolour painting",
    "black_and_white": "in black and white",
    "sepia": "in sepia tones",
    "pastel": "in pastel colours",
    "pencil": "as a pencil drawing",
    "comic": "in a comic book style",
    "cinematic": "in a cinematic style",
    "documentary": "in a documentary style",
}


def worded(prompt: str, style: str | None) -> str:
    """The prompt with the style's phrase behind it."""
    return f"{prompt.rstrip(' .')}, {STYLES[style]}" if style else prompt
