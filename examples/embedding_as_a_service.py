"""Tutorial 2: embedding as a service, kept as a data set on the Hub.

With `HF_TOKEN` set, it embeds through the serverless API; without, on this machine:

    python examples/embedding_as_a_service.py --out embedded

With `--push your-name/your-dataset`, the data set goes to the Hub, and comes back from there.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack

from langchain_core.documents import Document

from langchain_hfendpoint import EmbeddedDataset, HFEndpointEmbeddings
from langchain_hfendpoint.hub import Origin
from langchain_hfendpoint.local import LocalEndpoint

ORIGIN = Origin("Questions to a public library", license="mit")
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
QUESTIONS = [
    "How do I get a library card?",
    "What does a library card cost for people who live outside the city?",
    "I have lost my card. How do I replace it?",
    "How many books may I borrow at a time?",
    "How long may I keep a film?",
    "How do I renew a book that somebody else is waiting for?",
    "What happens if I bring a book back late?",
    "Can I return books when the library is closed?",
    "May my children use my card?",
    "How do I borrow electronic books?",
    "Does the library have computers that I may use?",
    "Where can I print a document?",
    "Can I reserve a room for my reading group?",
]
QUERY = "What must I pay when I forget to return something?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="embedded-faq", help="folder for the data set")
    parser.add_argument("--push", metavar="REPO", help="also push it to the Hub (owner/name)")
    arguments = parser.parse_args()

    with ExitStack() as stack:
        # 1. What embeds: the serverless API with your token, or this machine.
        if os.environ.get("HF_TOKEN"):
            embeddings = HFEndpointEmbeddings(model=MODEL)
        else:
            embeddings = HFEndpointEmbeddings(endpoint_url=stack.enter_context(LocalEndpoint()).url)

        # 2. Embed the questions into Parquet files. Run it again, and nothing is embedded twice.
        questions = [Document(question, metadata={"topic": "library"}) for question in QUESTIONS]
        embedded = EmbeddedDataset.create(questions, embeddings, arguments.out, origin=ORIGIN)
        print(f"{len(embedded)} questions with vectors of {embedded.provenance.dimension} numbers")

        # 3. Share them.
        place = arguments.out
        if arguments.push:
            commit = embedded.push_to_hub(arguments.push)
            place = arguments.push
            print(f"Pushed to {place} as commit {commit[:7]}")

        # 4. Load them in one line, here or anywhere else.
        loaded = EmbeddedDataset.load(place)

        # 5. The five questions that are nearest to a new one.
        print(f"\n{QUERY}")
        for document, score in loaded.similarity_search_with_score(QUERY, embeddings, k=5):
            print(f"  {score:.3f}  {document.page_content}")


if __name__ == "__main__":
    main()
