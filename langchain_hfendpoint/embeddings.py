"""`HFEndpointEmbeddings`: LangChain's embeddings over any Hugging Face Inference Endpoint.

The sync and the async methods are two faces of one engine (`_engine`), which runs on a background
event loop of its own; so they share connections, limits and retries, and work anywhere: in
Jupyter, in FastAPI, in threads, in several event loops, after a fork.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Sequence
from typing import Any, Literal

from langchain_core.embeddings import Embeddings
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    SecretStr,
    model_validator,
)
from typing_extensions import Self

from langchain_hfendpoint._engine import stream
from langchain_hfendpoint._engine.batching import Item, encode
from langchain_hfendpoint._engine.client import ClientSettings
from langchain_hfendpoint._engine.detection import base_url
from langchain_hfendpoint._engine.explain import refuse
from langchain_hfendpoint._engine.loop import run_async, run_sync
from langchain_hfendpoint._engine.protocols import ServerInfo, WireOptions, WireProtocol
from langchain_hfendpoint._engine.results import (
    EmbeddedBatch,
    EmbeddingReport,
    TextFailure,
    Vectors,
)
from langchain_hfendpoint._engine.retry import Deadlines
from langchain_hfendpoint._engine.session import Address, Session
from langchain_hfendpoint._engine.tokens import token_from_environment
from langchain_hfendpoint._progress import progress_bar
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import ConfigurationError

__all__ = ["EmbeddedBatch", "EmbeddingReport", "HFEndpointEmbeddings", "ServerInfo", "TextFailure"]

_URL_VARIABLE = "HF_ENDPOINT_URL"


def _environment_token() -> SecretStr | None:
    token = token_from_environment()
    return None if token is None else SecretStr(token)


class HFEndpointEmbeddings(BaseModel, Embeddings):
    """Embed texts with a Hugging Face Inference Endpoint, at the endpoint's full speed.

    Works with Text Embeddings Inference, the inference toolkit, hf-serve, vLLM, SGLang, llama.cpp,
    Infinity and other OpenAI-compatible servers, and with the serverless hf-inference route. What
    the server is and what it allows is found out by asking it, on first use; batches, concurrency
    and retries adapt by themselves.

    An endpoint is given by its URL, by its name, or as a serverless model; if none is given, the
    URL comes from the environment variable `HF_ENDPOINT_URL`. An `api_key` that is given goes to
    the endpoint that is given. Without it, a token from `HF_TOKEN`, `HUGGINGFACEHUB_API_TOKEN` or
    `hf auth login` goes to Hugging Face's own hosts over https, and to no other.

    Empty texts are refused by position before anything is sent, as no server has an embedding of
    nothing. Texts are sent as they are, equal ones once a call.

    Pickles hold neither `api_key` nor `extra_headers` unless `pickle_secrets=True`; without, the
    token is taken from the environment again where they are loaded.

    Example:
        ```python
        from langchain_hfendpoint import HFEndpointEmbeddings

        embeddings = HFEndpointEmbeddings(endpoint_url="http://127.0.0.1:8080")
        vectors = embeddings.embed_documents(["A man inspects a uniform.", "A man sleeps."])
        vector = embeddings.embed_query("Is somebody asleep?")
        ```
    """

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

    _opened: Session | None = PrivateAttr(default=None)

    @classmethod
    def from_endpoint(cls, endpoint: Any, **options: Any) -> Self:
        """Use an Inference Endpoint object.

        Args:
            endpoint: A `huggingface_hub.InferenceEndpoint`, or anything with its `name`, `url`,
                `namespace`, `repository` (or `model`) and `revision`.
            **options: Any field of this class.

        Returns:
            The embeddings, which name the endpoint, its model and revision in their provenance.
        """
        model = getattr(endpoint, "repository", None) or getattr(endpoint, "model", None)
        known = {
            "endpoint_url": endpoint.url,
            "endpoint_name": endpoint.name,
            "namespace": getattr(endpoint, "namespace", None),
            "model": model,
            "revision": getattr(endpoint, "revision", None),
        }
        return cls(**{**known, **options})

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

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents.

        Args:
            texts: The documents.

        Returns:
            One vector a document, in their order.

        Raises:
            EndpointError: If the endpoint did not give them; `indices` names the texts.
            ConfigurationError: If the endpoint cannot do what the options ask.
        """
        vectors: list[list[float]] = self.embed_array(texts).tolist()
        return vectors

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents; see `embed_documents`."""
        vectors: list[list[float]] = (await self.aembed_array(texts)).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Embed a query, with the query's prompt or prefix, before all documents that wait.

        Args:
            text: The query.

        Returns:
            Its vector.

        Raises:
            EndpointError: If the endpoint did not give it.
            ConfigurationError: If the endpoint cannot do what the options ask.
        """
        return run_sync(self._session().embed_query(text, prefix=self.query_prefix))

    async def aembed_query(self, text: str) -> list[float]:
        """Embed a query; see `embed_query`."""
        return await run_async(self._session().embed_query(text, prefix=self.query_prefix))

    def embed_array(self, texts: Sequence[str]) -> Vectors:
        """Embed documents into an array, without Python lists of numbers in between.

        Args:
            texts: The documents.

        Returns:
            float32 (n, dimension) in their order; (0, 0) for no documents.

        Raises:
            EndpointError: If the endpoint did not give them; `indices` names the texts.
            ConfigurationError: If the endpoint cannot do what the options ask.
        """
        return run_sync(self._embed_all(self._encode(texts), len(texts)))

    async def aembed_array(self, texts: Sequence[str]) -> Vectors:
        """Embed documents into an array; see `embed_array`."""
        return await run_async(self._embed_all(self._encode(texts), len(texts)))

    def embed_batches(
        self, texts: Iterable[str], *, on_error: Literal["raise", "skip"] = "raise"
    ) -> Iterator[EmbeddedBatch]:
        """Embed documents as they come, in constant memory.

        Args:
            texts: The documents, pulled as needed.
            on_error: Whether a text that fails for good is raised, or reported in `failures`.

        Yields:
            Batches as they finish, in any order; `indices` says which texts they are.

        Raises:
            EndpointError: If the endpoint did not give them; `indices` names the texts.
            ConfigurationError: If the endpoint cannot do what the options ask.
        """
        client, prefix = run_sync(self._session().client()), self.document_prefix
        yield from stream.embed_batches(client, texts, prefix=prefix, skip=on_error == "skip")

    async def aembed_batches(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> AsyncGenerator[EmbeddedBatch, None]:
        """Embed documents as they come; see `embed_batches`."""
        client, prefix = await run_async(self._session().client()), self.document_prefix
        batches = stream.aembed_batches(client, texts, prefix=prefix, skip=on_error == "skip")
        try:
            async for batch in batches:
                yield batch
        finally:
            await batches.aclose()

    def embed_report(self, texts: Iterable[str]) -> EmbeddingReport:
        """Embed what can be embedded, and report what cannot.

        Args:
            texts: The documents.

        Returns:
            The vectors and the failures.

        Raises:
            EndpointError: If the endpoint cannot be used at all.
            ConfigurationError: If the endpoint cannot do what the options ask.
        """
        return EmbeddingReport.of(self.embed_batches(texts, on_error="skip"))

    async def aembed_report(self, texts: Iterable[str] | AsyncIterable[str]) -> EmbeddingReport:
        """Embed what can be embedded; see `embed_report`."""
        batches = [batch async for batch in self.aembed_batches(texts, on_error="skip")]
        return EmbeddingReport.of(batches)

    def server_info(self) -> ServerInfo:
        """Tell what the endpoint is and what it allows; asks it the first time.

        Raises:
            EndpointError: If it does not answer.
        """
        return run_sync(self._server_info())

    async def aserver_info(self) -> ServerInfo:
        """Tell what the endpoint is; see `server_info`."""
        return await run_async(self._server_info())

    def provenance(self) -> Provenance:
        """Tell what must be equal before vectors may be mixed; embeds a word to see the dimension.

        Raises:
            EndpointError: If the endpoint did not give it.
            ConfigurationError: If the endpoint cannot do what the options ask.
        """
        return run_sync(self._provenance())

    async def aprovenance(self) -> Provenance:
        """Tell what must be equal before vectors may be mixed; see `provenance`."""
        return await run_async(self._provenance())

    def close(self) -> None:
        """Close the connections, unless others use them; the next use opens new ones."""
        run_sync(self._session().close())

    async def aclose(self) -> None:
        """Close the connections; see `close`."""
        await run_async(self._session().close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        fields, private = dict(state["__dict__"]), dict(state["__pydantic_private__"] or {})
        private["_opened"] = None
        if not self.pickle_secrets:
            fields["api_key"], fields["extra_headers"] = None, {}
            chosen = state["__pydantic_fields_set__"] - {"api_key", "extra_headers"}
            state = {**state, "__pydantic_fields_set__": chosen}
        return {**state, "__dict__": fields, "__pydantic_private__": private}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        if not self.pickle_secrets:
            self.__dict__["api_key"] = _environment_token()

    def _session(self) -> Session:
        """Give the open session, or a new one if an option has changed since."""
        address, settings = self._address(), self._settings()
        opened = self._opened
        if opened is None or opened.address != address or opened.settings != settings:
            opened = self._opened = Session(address, settings)
        return opened

    def _address(self) -> Address:
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

    def _encode(self, texts: Sequence[str]) -> list[Item]:
        items, refused = encode(texts, first=0, prefix=self.document_prefix)
        if refused:
            raise refuse(refused)
        return items

    async def _embed_all(self, items: list[Item], count: int) -> Vectors:
        bar = progress_bar("Embedding", total=count, show=self.show_progress)
        try:
            return await self._session().embed_all(items, count, on_done=bar.update)
        finally:
            bar.close()

    async def _server_info(self) -> ServerInfo:
        return await (await self._session().client()).server()

    async def _provenance(self) -> Provenance:
        return await self._session().provenance(
            document_prompt=self.document_prompt_name or self.document_prefix,
            query_prompt=self.query_prompt_name or self.query_prefix,
        )
