"""Tutorial 1: from an Inference Endpoint to Pinecone, every step of it.

Without any account it runs on this machine:

    python examples/inference_endpoint_to_pinecone.py --data sample --limit 2000

With `HF_ENDPOINT_URL`, `HF_TOKEN` and `PINECONE_API_KEY` set, it runs in the cloud.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from langchain_hfendpoint import (
    HFEndpointEmbeddings,
    SNLILoader,
    SQLiteRecordManager,
    index,
    open_pinecone,
)
from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone

INDEX = "hf-endpoints-tutorial"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="stanfordnlp/snli", help="Hub id, file, or `sample`")
    parser.add_argument("--limit", type=int, default=50_000, help="unique hypotheses to take")
    parser.add_argument("--keep", action="store_true", help="do not delete the index at the end")
    arguments = parser.parse_args()

    with ExitStack() as stack:
        # 1. An endpoint that runs, and Pinecone: yours, or the local ones.
        endpoint_url = os.environ.get("HF_ENDPOINT_URL")
        if endpoint_url is None:
            endpoint_url = stack.enter_context(LocalEndpoint()).url
        if "PINECONE_API_KEY" not in os.environ:
            pinecone = stack.enter_context(LocalPinecone())
            os.environ["PINECONE_API_KEY"] = pinecone.api_key
            os.environ["PINECONE_CONTROLLER_HOST"] = pinecone.host

        # 2. Send it texts.
        embeddings = HFEndpointEmbeddings(endpoint_url=endpoint_url)
        first, second = embeddings.embed_documents(["A man plays a guitar.", "Dogs run."])
        print(f"Two texts became two vectors of {len(first)} and {len(second)} numbers.")

        # 3. An index of the endpoint's dimension.
        store = open_pinecone(INDEX, embeddings)

        # 4. SNLI's hypotheses, each once, embedded and upserted with id, vector and text.
        loader = SNLILoader(arguments.data, column="hypothesis", unique=True, limit=arguments.limit)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        records = SQLiteRecordManager(f"pinecone/{INDEX}", Path(folder) / "records.sqlite")
        result = index(loader, records, store)
        print(
            f"{result['num_added']:,} hypotheses in; {loader.report.duplicates:,} duplicates out."
        )

        # 5. What the index holds.
        print(store.index.describe_index_stats())

        # 6. Ask with premises.
        premises = SNLILoader(arguments.data, column="premise", unique=True)
        for premise in itertools.islice(premises.lazy_load(), 3):
            print(f"\n{premise.page_content}")
            for found, score in store.similarity_search_with_score(premise.page_content, k=5):
                print(f"  {score:.3f}  {found.page_content}")

        # 7. Leave nothing behind that costs money. An endpoint of yours is paused or deleted where
        #    it was made; the local ones end with this script.
        if not arguments.keep:
            from pinecone import Pinecone

            Pinecone().delete_index(INDEX)
            print(f"\nDeleted the index {INDEX}.")


if __name__ == "__main__":
    main()
