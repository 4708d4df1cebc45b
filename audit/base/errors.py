"""The root of every error that Byline raises on purpose.

Each carries a stable code, the HTTP status an API answers with, and one line that tells the
reader what to do next. Anything else that escapes is a defect, not an answer.
"""


class BylineError(Exception):
    """Root error. `str(error)` is safe to show: it never holds a prompt, a key or a biometric."""

    code = "internal"
    status = 500
    help = "This is a defect in Byline. Report it with the request id."

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        if help is not None:
            self.help = help

    def as_dict(self) -> dict[str, str]:
        """The body of an API error: {"code", "message", "help"}."""
        return {"code": self.code, "message": str(self), "help": self.help}


class ConfigurationError(BylineError):
    """A setting, key or file of the installation is missing, unreadable or contradictory."""

    code = "configuration"
    status = 503
    help = "Run `byline check` and follow the first error."


class MissingWeights(ConfigurationError):
    """A model is configured whose weights are not on this machine."""

    code = "missing_weights"


class InvalidInput(BylineError):
    """The caller sent something that cannot be used as it is."""

    code = "invalid_input"
    status = 400
    help = "Correct the input and send it again."
