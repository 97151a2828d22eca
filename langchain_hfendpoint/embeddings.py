"""`HFEndpointEmbeddings`: LangChain's embeddings over any Hugging Face Inference Endpoint.

The sync and the async methods are two faces of one engine (`_engine`), which runs on a background
event loop of its own; so they share connections, limits and retries, and work anywhere: in
Jupyter, in FastAPI, in threads, in several event loops, after a fork.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from langchain_core.embeddings import Embeddings
from pydantic import PrivateAttr
from typing_extensions import Self

from langchain_hfendpoint._engine import stream
from langchain_hfendpoint._engine.batching import Item, encode
from langchain_hfendpoint._engine.explain import refuse
from langchain_hfendpoint._engine.loop import run_async, run_sync
from langchain_hfendpoint._engine.options import EndpointOptions
from langchain_hfendpoint._engine.protocols import ServerInfo
from langchain_hfendpoint._engine.results import (
    EmbeddedBatch,
    EmbeddingReport,
    TextFailure,
    Vectors,
)
from langchain_hfendpoint._engine.session import Session
from langchain_hfendpoint._progress import progress_bar
from langchain_hfendpoint._provenance import Provenance

__all__ = ["EmbeddedBatch", "EmbeddingReport", "HFEndpointEmbeddings", "ServerInfo", "TextFailure"]


class HFEndpointEmbeddings(EndpointOptions, Embeddings):
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
        lists = stream.ListsOf(len(texts))
        run_sync(self._embed_all(self._encode(texts), len(texts), lists.take))
        return lists.rows

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents; see `embed_documents`."""
        lists = stream.ListsOf(len(texts))
        await run_async(self._embed_all(self._encode(texts), len(texts), lists.take))
        return lists.rows

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
        array = stream.ArrayOf(len(texts))
        run_sync(self._embed_all(self._encode(texts), len(texts), array.take))
        return array.vectors

    async def aembed_array(self, texts: Sequence[str]) -> Vectors:
        """Embed documents into an array; see `embed_array`."""
        array = stream.ArrayOf(len(texts))
        await run_async(self._embed_all(self._encode(texts), len(texts), array.take))
        return array.vectors

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

    def _session(self) -> Session:
        """Give the open session, or a new one if an option has changed since."""
        address, settings = self._address(), self._settings()
        opened = self._opened
        if opened is None or opened.address != address or opened.settings != settings:
            opened = self._opened = Session(address, settings)
        return opened

    def _encode(self, texts: Sequence[str]) -> list[Item]:
        items, refused = encode(texts, first=0, prefix=self.document_prefix)
        if refused:
            raise refuse(refused)
        return items

    async def _embed_all(
        self, items: list[Item], count: int, take: Callable[[EmbeddedBatch], None]
    ) -> None:
        bar = progress_bar("Embedding", total=count, show=self.show_progress)

        def take_and_tell(batch: EmbeddedBatch) -> None:
            take(batch)
            bar.update(len(batch.indices))

        try:
            await self._session().embed_all(items, take=take_and_tell)
        finally:
            bar.close()

    async def _server_info(self) -> ServerInfo:
        return await (await self._session().client()).server()

    async def _provenance(self) -> Provenance:
        return await self._session().provenance(
            document_prompt=self.document_prompt_name or self.document_prefix,
            query_prompt=self.query_prompt_name or self.query_prefix,
        )
