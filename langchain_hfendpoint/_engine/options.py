"""The options of the embeddings: what can be set, what is refused, what a pickle holds."""

from __future__ import annotations

import os
from typing import Any, Literal

from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)
from typing_extensions import Self

from langchain_hfendpoint._engine.client import ClientSettings
from langchain_hfendpoint._engine.detection import base_url
from langchain_hfendpoint._engine.protocols import WireOptions, WireProtocol
from langchain_hfendpoint._engine.retry import Deadlines
from langchain_hfendpoint._engine.session import Address
from langchain_hfendpoint._engine.tokens import token_from_environment
from langchain_hfendpoint.errors import ConfigurationError

_URL_VARIABLE = "HF_ENDPOINT_URL"


def _environment_token() -> SecretStr | None:
    token = token_from_environment()
    return None if token is None else SecretStr(token)


class EndpointOptions(BaseModel):
    """Which endpoint, and how to use it."""

    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        # A URL may hold a password, which the refusal of the URL must not repeat.
        hide_input_in_errors=True,
    )

    endpoint_url: str | None = None
    """URL of the endpoint, with or without `/embed`, `/v1` or `/v1/embeddings`."""
    endpoint_name: str | None = None
    """Name of an Inference Endpoint, to look up its URL unless that is given."""
    namespace: str | None = None
    """User or organization of the named endpoint; the token's own by default."""
    model: str | None = None
    """Model id: alone, a model of the serverless API; else what the endpoint is taken to serve."""
    revision: str | None = None
    """Commit of the model, for the provenance, where the endpoint does not tell it."""
    api_key: SecretStr | None = Field(default_factory=_environment_token)
    """Hugging Face token, or whatever key the endpoint asks for."""

    protocol: WireProtocol | None = None
    """How to speak to the endpoint; found out by default (see `server_info`)."""
    normalize: bool = True
    """Give vectors of length 1, by the server or else here; `False` gives the server's own."""
    truncate: bool | None = None
    """Cut over-long texts (`True`) or refuse them (`False`); the server's own way by default."""
    truncation_direction: Literal["left", "right"] | None = None
    """Which end is cut."""
    dimensions: PositiveInt | None = None
    """Numbers a vector shall have (Matryoshka): cut by the server, or else here."""
    query_prompt_name: str | None = None
    """Prompt of the model's configuration to put before queries."""
    document_prompt_name: str | None = None
    """Prompt of the model's configuration to put before documents."""
    query_prefix: str = ""
    """Words to put before queries, for servers without prompts."""
    document_prefix: str = ""
    """Words to put before documents, for servers without prompts."""

    batch_size: PositiveInt | None = None
    """Texts in a request; by default what the server allows, 32 if it does not tell."""
    max_concurrency: PositiveInt | None = None
    """Requests in flight of this object; by default as many as help."""
    timeout: PositiveFloat = 120.0
    """Seconds an answer may take."""
    retry_deadline: float = Field(default=120.0, ge=0)
    """Seconds of trouble after which a request is given up."""
    cold_start_timeout: float = Field(default=600.0, ge=0)
    """Seconds a scaled-to-zero endpoint may take to wake up."""
    rate_limiter: BaseRateLimiter | None = Field(default=None, repr=False)
    """Asked once before each request that is really sent."""
    extra_headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Headers to add to every request."""
    bill_to: str | None = None
    """Organization to bill for the serverless API."""
    show_progress: bool | None = False
    """Show a progress bar on stderr; `None` shows it if that is a terminal."""
    pickle_secrets: bool = False
    """Keep `api_key` and `extra_headers` in pickles."""

    @model_validator(mode="before")
    @classmethod
    def _take_url_from_environment(cls, values: Any) -> Any:
        addresses = ("endpoint_url", "endpoint_name", "model")
        if isinstance(values, dict) and not any(values.get(name) for name in addresses):
            return {**values, "endpoint_url": os.environ.get(_URL_VARIABLE)}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.endpoint_url or self.endpoint_name or self.model):
            raise ConfigurationError(
                "Give `endpoint_url`, `endpoint_name` or `model`, or set the environment variable "
                f"{_URL_VARIABLE}."
            )
        if self.endpoint_url:
            base_url(self.endpoint_url)
        for kind in ("query", "document"):
            if getattr(self, f"{kind}_prompt_name") and getattr(self, f"{kind}_prefix"):
                raise ConfigurationError(
                    f"Give `{kind}_prompt_name` or `{kind}_prefix`, not both: the server puts the "
                    "prompt before the text itself."
                )
        return self

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        fields, private = dict(state["__dict__"]), dict(state["__pydantic_private__"] or {})
        # Connections stay where they are.
        private = dict.fromkeys(private)
        if not self.pickle_secrets:
            fields["api_key"], fields["extra_headers"] = None, {}
            chosen = state["__pydantic_fields_set__"] - {"api_key", "extra_headers"}
            state = {**state, "__pydantic_fields_set__": chosen}
        return {**state, "__dict__": fields, "__pydantic_private__": private}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        if not self.pickle_secrets:
            self.__dict__["api_key"] = _environment_token()

    def _address(self) -> Address:
        """Give the address and the tokens for it."""
        key = None if self.api_key is None else self.api_key.get_secret_value()
        given = "api_key" in self.model_fields_set
        return Address(
            url=self.endpoint_url,
            name=self.endpoint_name,
            namespace=self.namespace,
            model=self.model,
            revision=self.revision,
            given_token=key if given else None,
            ambient_token=None if given else key,
        )

    def _settings(self) -> ClientSettings:
        """Give everything else; URL and token are found by the session."""
        headers = {name: value.get_secret_value() for name, value in self.extra_headers.items()}
        if self.bill_to is not None:
            headers["X-HF-Bill-To"] = self.bill_to
        return ClientSettings(
            documents=self._wire_options(self.document_prompt_name),
            queries=self._wire_options(self.query_prompt_name),
            timeout=self.timeout,
            deadlines=Deadlines(retry=self.retry_deadline, cold_start=self.cold_start_timeout),
            name=self.endpoint_name,
            protocol=self.protocol,
            headers=tuple(headers.items()),
            batch_size=self.batch_size,
            max_concurrency=self.max_concurrency,
            rate_limiter=self.rate_limiter,
            show_progress=self.show_progress or None,
        )

    def _wire_options(self, prompt_name: str | None) -> WireOptions:
        return WireOptions(
            normalize=self.normalize,
            truncate=self.truncate,
            truncation_direction=self.truncation_direction,
            dimensions=self.dimensions,
            prompt_name=prompt_name,
            model=self.model,
        )
