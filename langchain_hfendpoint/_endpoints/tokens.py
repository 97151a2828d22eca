"""The token for Hugging Face's management API."""

from __future__ import annotations

from huggingface_hub import get_token
from pydantic import SecretStr

from langchain_hfendpoint._engine.tokens import token_from_environment


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
    found = token or token_from_environment() or get_token()
    return SecretStr(found) if found else None
