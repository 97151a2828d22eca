"""Ways to embed texts with an endpoint, each as its own users write it, without tuning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

BATCH = 32
"""Texts in a request where the contender leaves it to its user: TEI refuses more."""

Embed = Callable[[list[str]], object]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to embed texts.

    Attributes:
        title: What it is.
        prepare: Given the endpoint's URL, make the function that embeds.
        needs: Packages to install for it.
        parallel: Whether it has more than one request in flight, so that it can do all texts in
            reasonable time.
    """

    title: str
    prepare: Callable[[str], Embed]
    needs: Sequence[str] = ()
    parallel: bool = False

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name in self.needs if find_spec(name.replace("-", "_")) is None]


def _batches(texts: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(texts), BATCH):
        yield texts[begin : begin + BATCH]


def _ours_array(url: str) -> Embed:
    from langchain_hfendpoint import HFEndpointEmbeddings

    return HFEndpointEmbeddings(endpoint_url=url).embed_array


def _ours_documents(url: str) -> Embed:
    from langchain_hfendpoint import HFEndpointEmbeddings

    return HFEndpointEmbeddings(endpoint_url=url).embed_documents


def _requests(url: str) -> Embed:
    import requests

    def embed(texts: list[str]) -> object:
        vectors: list[list[float]] = []
        for batch in _batches(texts):
            answer = requests.post(f"{url}/embed", json={"inputs": batch}, timeout=60)
            answer.raise_for_status()
            vectors += answer.json()
        return vectors

    return embed


def _langchain_huggingface(url: str) -> Embed:
    from huggingface_hub import InferenceClient
    from langchain_huggingface import HuggingFaceEndpointEmbeddings

    # It refuses a URL as its model since 1.2.2, and sends all texts in one request.
    embeddings = HuggingFaceEndpointEmbeddings(model="a/b", huggingfacehub_api_token="hf_x")
    embeddings.client = InferenceClient(model=f"{url}/embed", token="hf_x")

    def embed(texts: list[str]) -> object:
        return [row for batch in _batches(texts) for row in embeddings.embed_documents(batch)]

    return embed


def _langchain_openai(url: str) -> Embed:
    from langchain_openai import OpenAIEmbeddings
    from pydantic import SecretStr

    return OpenAIEmbeddings(
        openai_api_base=f"{url}/v1",
        openai_api_key=SecretStr("x"),
        model="simulated",
        check_embedding_ctx_length=False,
        chunk_size=BATCH,
    ).embed_documents


def _huggingface_hub(url: str) -> Embed:
    from huggingface_hub import InferenceClient

    client = InferenceClient(model=f"{url}/embed", token="hf_x")

    def embed(texts: list[str]) -> object:
        return [client.feature_extraction(batch) for batch in _batches(texts)]

    return embed


def _baseten(url: str, **options: int) -> Embed:
    from baseten_performance_client import PerformanceClient, RequestProcessingPreference

    client = PerformanceClient(base_url=url, api_key="x")
    preference = RequestProcessingPreference(batch_size=BATCH, **options)

    def embed(texts: list[str]) -> object:
        return client.embed(input=texts, model="simulated", preference=preference).numpy()

    return embed


CONTENDERS: dict[str, Contender] = {
    "ours": Contender(title="embed_array (ours)", prepare=_ours_array, parallel=True),
    "ours-lists": Contender(title="embed_documents (ours)", prepare=_ours_documents, parallel=True),
    "requests": Contender(title="(a) requests loop", prepare=_requests, needs=["requests"]),
    "langchain-huggingface": Contender(
        title="(b) langchain-huggingface, client swapped",
        prepare=_langchain_huggingface,
        needs=["langchain-huggingface"],
    ),
    "langchain-openai": Contender(
        title="(c) langchain-openai on /v1",
        prepare=_langchain_openai,
        needs=["langchain-openai"],
    ),
    "huggingface-hub": Contender(
        title="(d) huggingface_hub InferenceClient", prepare=_huggingface_hub
    ),
    "baseten": Contender(
        title="(e) baseten, its defaults",
        prepare=_baseten,
        needs=["baseten-performance-client"],
        parallel=True,
    ),
    "baseten-tuned": Contender(
        title="(e) baseten, told to keep to 16 in flight",
        prepare=lambda url: _baseten(url, max_concurrent_requests=16),
        needs=["baseten-performance-client"],
        parallel=True,
    ),
}
