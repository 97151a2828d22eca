"""From an address to embeddings: finds the endpoint, chooses the token, opens the client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from langchain_hfendpoint._engine.batching import Item, encode
from langchain_hfendpoint._engine.client import ClientSettings, EndpointClient
from langchain_hfendpoint._engine.detection import base_url, is_serverless
from langchain_hfendpoint._engine.explain import refuse
from langchain_hfendpoint._engine.lookup import NamedEndpoint, look_up, serverless_url
from langchain_hfendpoint._engine.results import EmbeddedBatch
from langchain_hfendpoint._engine.stream import embed_all
from langchain_hfendpoint._engine.tokens import choose_token
from langchain_hfendpoint._engine.vectors import is_unit_length
from langchain_hfendpoint._provenance import Provenance

_PROBE_TEXT = "dimension"


@dataclass(frozen=True, slots=True)
class Address:
    """Which endpoint, and with which token.

    Attributes:
        url: Its URL, if given.
        name: Its name, if given.
        namespace: The user or organization of the name.
        model: Model id; without URL and name, a model of the serverless API.
        revision: Commit of the model, if given.
        given_token: The token given for this endpoint.
        ambient_token: The token from the environment.
    """

    url: str | None
    name: str | None
    namespace: str | None
    model: str | None
    revision: str | None
    given_token: str | None = field(repr=False)
    ambient_token: str | None = field(repr=False)


class Session:
    """One caller's use of an endpoint; its coroutines run on the engine's loop.

    Args:
        address: Which endpoint.
        settings: How to use it; URL and token are filled in.
    """

    def __init__(self, address: Address, settings: ClientSettings) -> None:
        self.address = address
        self.settings = settings
        self._named: NamedEndpoint | None = None
        self._client: EndpointClient | None = None

    def __deepcopy__(self, _: object) -> Session:
        # Connections and limits are shared anyway, and belong to a loop.
        return self

    async def client(self) -> EndpointClient:
        """Open the client; looks the endpoint up by its name if that is all there is.

        Raises:
            EndpointError: If there is no such endpoint, or it is paused or failed.
            ConfigurationError: If the token cannot be one.
        """
        if self._client is None:
            url = base_url(await self._url())
            given, ambient = self.address.given_token, self.address.ambient_token
            settings = replace(
                self.settings, url=url, token=choose_token(url, given=given, ambient=ambient)
            )
            if is_serverless(url):
                settings = replace(settings, protocol="hf-inference")
            check = self._look_up if self.address.name else None
            self._client = EndpointClient(settings, check_running=check)
        return self._client

    async def embed_all(
        self, items: Sequence[Item], *, take: Callable[[EmbeddedBatch], None]
    ) -> None:
        """Embed texts that are all there; see `stream.embed_all`."""
        await embed_all(await self.client(), items, take=take)

    async def embed_query(self, text: str, *, prefix: str) -> list[float]:
        """Embed one query, before all bulk work.

        Raises:
            EndpointError: If it cannot be embedded.
        """
        items, refused = encode([text], first=0, prefix=prefix)
        if refused:
            raise refuse(refused)
        outcome = await (await self.client()).embed(items, query=True)
        vector: list[float] = outcome.vectors[0].tolist()
        return vector

    async def provenance(self, *, document_prompt: str, query_prompt: str) -> Provenance:
        """Tell how vectors are made here; embeds a word to see what comes back."""
        client = await self.client()
        items, _ = encode([_PROBE_TEXT], first=0, prefix="")
        vectors = (await client.embed(items)).vectors
        server = await client.server()
        # On Inference Endpoints the model is mounted at /repository, which names nothing.
        served = None if (server.model or "/").startswith("/") else server.model
        named = self._named
        return Provenance(
            dimension=vectors.shape[1],
            model=self.address.model or (named and named.model) or served,
            revision=self.address.revision or (named and named.revision) or server.revision,
            normalized=is_unit_length(vectors),
            document_prompt=document_prompt,
            query_prompt=query_prompt,
        )

    async def close(self) -> None:
        """Close the connections unless others use them."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _url(self) -> str:
        address = self.address
        if address.url is not None:
            return address.url
        if address.name is None:
            return serverless_url(address.model or "")
        if self._named is None:
            await self._look_up()
        return "" if self._named is None else self._named.url

    async def _look_up(self) -> None:
        address = self.address
        self._named = await look_up(
            address.name or "",
            namespace=address.namespace,
            token=address.given_token or address.ambient_token,
            timeout=self.settings.deadlines.cold_start,
        )
