"""What `benchmarks/indexing.py` compares, each run in a process of its own by `python -m`.

Prints one line of JSON: seconds of wall-clock and of CPU time for indexing, imports not counted.
Every contender has to send requests of 32 texts, which is what the endpoint takes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

BATCH = 32
Job = Callable[[], object]


def documents(count: int) -> list[Document]:
    """Make short sentences with a little metadata."""
    return [
        Document(f"A man number {n} inspects a uniform.", metadata={"row": n, "label": n % 3})
        for n in range(count)
    ]


def tutorial(endpoint: str, pinecone: str, texts: list[Document]) -> Job:
    """Do what the Pinecone tutorial does: post a batch, upsert it, and so on."""
    import requests
    from pinecone import Pinecone

    index = Pinecone(api_key="key").Index(host=pinecone)

    def run() -> None:
        for start in range(0, len(texts), BATCH):
            some = texts[start : start + BATCH]
            answer = requests.post(endpoint, json={"inputs": [one.page_content for one in some]})
            vectors = [
                (str(one.metadata["row"]), vector, {"text": one.page_content, **one.metadata})
                for one, vector in zip(some, answer.json(), strict=True)
            ]
            index.upsert(vectors=vectors)

    return run


def _langchain_store(endpoint: str, pinecone: str) -> Any:
    """LangChain's stack: the embeddings class refuses URLs, so its client is replaced."""
    from huggingface_hub import AsyncInferenceClient, InferenceClient
    from langchain_huggingface import HuggingFaceEndpointEmbeddings
    from langchain_pinecone import PineconeVectorStore

    embeddings = HuggingFaceEndpointEmbeddings(model="a/model", huggingfacehub_api_token="none")
    embeddings.client = InferenceClient(model=endpoint)
    embeddings.async_client = AsyncInferenceClient(model=endpoint)
    return PineconeVectorStore(embedding=embeddings, pinecone_api_key="key", host=pinecone)


def langchain_index(endpoint: str, pinecone: str, texts: list[Document]) -> Job:
    """`langchain_core.indexing.index` over langchain-huggingface and langchain-pinecone."""
    from langchain_core.indexing import InMemoryRecordManager, index

    store = _langchain_store(endpoint, pinecone)
    records = InMemoryRecordManager("benchmark")
    return lambda: index(texts, records, store, batch_size=BATCH, key_encoder="blake2b")


def add_texts(endpoint: str, pinecone: str, texts: list[Document]) -> Job:
    """`PineconeVectorStore.add_texts`, upserting on its thread pool."""
    store = _langchain_store(endpoint, pinecone)
    return lambda: store.add_texts(
        [one.page_content for one in texts],
        [dict(one.metadata) for one in texts],
        embedding_chunk_size=BATCH,
    )


def llama_index(endpoint: str, pinecone: str, texts: list[Document]) -> Job:
    """LlamaIndex's `IngestionPipeline` with its TEI embeddings and its Pinecone store."""
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.schema import TextNode
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
    from llama_index.vector_stores.pinecone import PineconeVectorStore
    from pinecone import Pinecone

    store = PineconeVectorStore(pinecone_index=Pinecone(api_key="key").Index(host=pinecone))
    embed = TextEmbeddingsInference(
        model_name="benchmark", base_url=endpoint, embed_batch_size=BATCH
    )
    pipeline = IngestionPipeline(transformations=[embed], vector_store=store)
    nodes = [TextNode(text=one.page_content, metadata=one.metadata) for one in texts]
    return lambda: pipeline.run(nodes=nodes)


def ours(endpoint: str, pinecone: str, texts: list[Document]) -> Job:
    """`langchain_hfendpoint.index` with its persistent record manager."""
    from langchain_pinecone import PineconeVectorStore

    from langchain_hfendpoint import HFEndpointEmbeddings, SQLiteRecordManager, index

    embeddings = HFEndpointEmbeddings(endpoint_url=endpoint)
    store = PineconeVectorStore(embedding=embeddings, pinecone_api_key="key", host=pinecone)
    folder = tempfile.mkdtemp(prefix="indexing-benchmark-")
    records = SQLiteRecordManager("benchmark", Path(folder) / "records.sqlite")
    return lambda: index(texts, records, store)


CONTENDERS = {
    "tutorial's loop": tutorial,
    "langchain-core index()": langchain_index,
    "PineconeVectorStore.add_texts": add_texts,
    "LlamaIndex IngestionPipeline": llama_index,
    "ours": ours,
}


def main() -> None:
    """Run one contender and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--pinecone", required=True)
    parser.add_argument("--texts", type=int, required=True)
    arguments = parser.parse_args()
    job = CONTENDERS[arguments.name](
        arguments.endpoint, arguments.pinecone, documents(arguments.texts)
    )
    begun, cpu = time.perf_counter(), time.process_time()
    job()
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"seconds": took, "cpu": cpu}))


if __name__ == "__main__":
    main()
