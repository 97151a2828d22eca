"""Vectors of all-MiniLM-L6-v2 through HTTP, against figures published by Hugging Face.

The figures are printed in the blog post "Embedding-as-a-Service" (2022).
"""

import numpy as np
import pytest

from langchain_hfendpoint import HFEndpointEmbeddings
from langchain_hfendpoint.local import LocalEndpoint

TEXTS = ["First text", "Hi!", "I love Sentence Transformers"]
HEADS = [
    [-0.01706981, 0.05439235, 0.00906055],
    [-0.08946919, 0.03267909, 0.01558172],
    [-0.09226393, -0.01157228, 0.00867325],
]
TAILS = [
    [0.09818567, 0.10090933, -0.0086112],
    [0.0648054, -0.01970844, 0.0207535],
    [0.10857432, 0.05021105, -0.06054248],
]


@pytest.fixture
def embeddings(local_endpoint: LocalEndpoint) -> HFEndpointEmbeddings:
    return HFEndpointEmbeddings(endpoint_url=local_endpoint.url)


def _assert_golden(vectors: list[list[float]]) -> None:
    assert [len(vector) for vector in vectors] == [384] * 3
    np.testing.assert_allclose([vector[:3] for vector in vectors], HEADS, atol=1e-5)
    np.testing.assert_allclose([vector[-3:] for vector in vectors], TAILS, atol=1e-5)


def test_embed_documents_gives_the_published_numbers(embeddings: HFEndpointEmbeddings) -> None:
    _assert_golden(embeddings.embed_documents(TEXTS))


async def test_aembed_documents_gives_the_published_numbers(
    embeddings: HFEndpointEmbeddings,
) -> None:
    _assert_golden(await embeddings.aembed_documents(TEXTS))


def test_embed_query_gives_the_published_numbers(embeddings: HFEndpointEmbeddings) -> None:
    _assert_golden([embeddings.embed_query(text) for text in TEXTS])


def test_a_text_is_the_same_alone_and_among_long_ones(embeddings: HFEndpointEmbeddings) -> None:
    long = ["a very long sentence about nothing in particular " * n for n in (1, 7, 30)]
    among = embeddings.embed_documents([long[0], TEXTS[0], long[1], TEXTS[1], long[2], TEXTS[2]])
    _assert_golden(among[1::2])
