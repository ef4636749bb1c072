"""How an initialisation or an invocation may fail, as the runtime, an extension or the kernel tells of it."""


class InitError(Exception):
    """The runtime reported that the function could not be loaded. `payload` is its error object."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload


class FunctionError(Exception):
    """The function raised. `payload` is the error object that the runtime made of it."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload


class ResponseTooLarge(FunctionError):
    """Raised in place of the response. The runtime takes the refusal badly: it exits."""


class Ended(Exception):
    """The runtime or an extension has ended; the reason in AWS's words. `kind` is the type of error."""

    def __init__(self, reason: str, kind: str) -> None:
        super().__init__(reason)
        self.kind = kind
