"""An indexing job as a process of its own, to be killed: `python -m tests.support.indexing_job`.

Prints one line of JSON when it comes to its end.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from langchain_core.documents import Document
from langchain_pinecone import PineconeVectorStore

from langchain_hfendpoint import HFEndpointEmbeddings, SQLiteRecordManager, index


def corpus(size: int) -> Iterator[Document]:
    """Documents of which each third shares its text with the two before, as SNLI's premises do."""
    for number in range(size):
        yield Document(f"sentence {number // 3} of the corpus", metadata={"row": number})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--pinecone", required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--records", required=True)
    parser.add_argument("--documents", type=int, required=True)
    arguments = parser.parse_args()
    embeddings = HFEndpointEmbeddings(endpoint_url=arguments.endpoint)
    store = PineconeVectorStore(
        embedding=embeddings, pinecone_api_key=arguments.api_key, host=arguments.pinecone
    )
    records = SQLiteRecordManager("torture", arguments.records)
    print("ready", flush=True)
    report = index(corpus(arguments.documents), records, store)
    print(json.dumps({**report, "embedded": report.embedded, "reused": report.reused}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
