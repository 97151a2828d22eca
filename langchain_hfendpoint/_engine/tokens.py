"""Which token goes where.

A token that was given goes to the URL that was given. A token that merely lies around (environment,
login) goes to Hugging Face's own hosts over https and nowhere else: users have feared for it on
local servers (langchain#30333) and missed it on dedicated endpoints (langchain#40447).
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import huggingface_hub

from langchain_hfendpoint.errors import ConfigurationError

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN")
"""Environment variables that may hold the token; the first that is set counts."""

_HOSTS = ("huggingface.co", "hf.space", "endpoints.huggingface.cloud")


def token_from_environment() -> str | None:
    """Read the token from the environment, if it is there."""
    return next((os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)), None)


def is_hugging_face(url: str) -> bool:
    """Say whether a URL is https to one of Hugging Face's hosts."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return parts.scheme == "https" and any(
        host == known or host.endswith("." + known) for known in _HOSTS
    )


def choose_token(url: str, *, given: str | None, ambient: str | None) -> str | None:
    """Choose the token to send to a URL.

    Args:
        url: Where to.
        given: The token given for this very purpose, if any.
        ambient: The token from the environment, if any.

    Returns:
        The token, or `None` to send none.

    Raises:
        ConfigurationError: If it cannot be a token.
    """
    token = given
    if token is None and is_hugging_face(url):
        token = ambient or huggingface_hub.get_token()
    token = (token or "").strip()
    if not all("!" <= letter <= "~" for letter in token):
        raise ConfigurationError(
            "`api_key` has characters that no token has (a space, a line break, a quote of a word "
            "processor?). Copy it again."
        )
    return token or None
