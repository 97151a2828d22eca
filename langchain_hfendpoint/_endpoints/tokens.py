"""Where the Hugging Face token comes from."""

from __future__ import annotations

import os

from huggingface_hub import get_token
from pydantic import SecretStr

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN")
"""Hugging Face's name, and LangChain's."""


def find_token(token: SecretStr | str | None = None) -> SecretStr | None:
    """Find the token to authenticate with.

    Args:
        token: The token, if the caller has it.

    Returns:
        That one, or else `HF_TOKEN`, `HUGGINGFACEHUB_API_TOKEN`, or what `hf auth login` has
        stored; `None` if there is none.
    """
    if isinstance(token, SecretStr):
        return token
    for value in (token, *(os.environ.get(name) for name in TOKEN_VARIABLES), get_token()):
        if value:
            return SecretStr(value)
    return None
