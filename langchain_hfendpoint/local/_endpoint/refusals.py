"""What TEI says when it refuses, word for word (TEI `core/src/lib.rs`, `router/src/lib.rs`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

ErrorType = Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]


class RefusalError(Exception):
    """A request that is answered with an error.

    Args:
        error_type: TEI's name of the error; the version decides about its status.
        message: TEI's words.
    """

    def __init__(self, error_type: ErrorType, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


def invalid(what: str) -> RefusalError:
    """Refuse an input in the words of TEI's core."""
    return RefusalError("Validation", f"Input validation error: {what}")


def empty(name: str = "inputs", *, core: bool = True) -> RefusalError:
    """Refuse an empty text or list; TEI's handlers leave the prefix of its core out."""
    prefix = "Input validation error: " if core else ""
    return RefusalError("Empty", f"{prefix}`{name}` cannot be empty")


def batch_too_large(size: int, *, limit: int) -> RefusalError:
    """Refuse a request of too many texts."""
    return RefusalError("Validation", f"batch size {size} > maximum allowed batch size {limit}")


def too_many_tokens(given: int, *, limit: int) -> RefusalError:
    """Refuse a text of too many tokens."""
    return invalid(f"`inputs` must have less than {limit} tokens. Given: {given}")


def too_many_characters(given: int, *, limit: int) -> RefusalError:
    """Refuse a text of too many characters."""
    return invalid(f"`inputs` must have less than {limit} characters. Given: {given}")


def unknown_prompt(name: str, available: Iterable[str]) -> RefusalError:
    """Refuse the name of a prompt that the model does not have."""
    names = list(available)
    text = f"`default-prompt-name` is set to `{name}` but "
    if not names:
        text += "no prompts were found in the Sentence Transformers configuration"
    else:
        text += (
            "it was not found in the Sentence Transformers prompts. "
            f"Available prompts: {', '.join(names)}"
        )
    return invalid(text)


def overloaded() -> RefusalError:
    """Refuse because all permits are taken."""
    return RefusalError("Overloaded", "Model is overloaded")


def backend_failed(what: str) -> RefusalError:
    """Refuse because the model failed, or is of another kind."""
    return RefusalError("Backend", f"Backend error: {what}")
