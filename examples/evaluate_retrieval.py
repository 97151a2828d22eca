"""Does a premise find the hypotheses that follow from it? Recall@k and MRR over SNLI's test split.

    python examples/evaluate_retrieval.py
    python examples/evaluate_retrieval.py --data ../shared/data/snli/test.parquet --queries 1000

All unique hypotheses of the split are indexed; each premise that entails at least one of them asks
the retriever. Runs without any account on local servers; with HF_ENDPOINT_URL and PINECONE_API_KEY
set, against your endpoint and your Pinecone index.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from langchain_core.indexing import InMemoryRecordManager

from langchain_hfendpoint import HFEndpointEmbeddings, SNLILoader, index, open_pinecone
from langchain_hfendpoint.document_loaders import NLIPair
from langchain_hfendpoint.errors import HubUnreachableError
from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone

DEPTHS = (1, 5, 10, 20)


def entailed(pairs: Iterable[NLIPair]) -> dict[str, set[str]]:
    """Give the entailed hypotheses of each premise that has any."""
    found: dict[str, set[str]] = {}
    for premise, hypothesis, label in pairs:
        if label == "entailment":
            found.setdefault(premise, set()).add(hypothesis)
    return found


def recall_at(depth: int, answers: Sequence[Sequence[str]], right: Sequence[set[str]]) -> float:
    """Give the mean share of right answers that are among the first ones."""
    shares = [
        len(wanted.intersection(answer[:depth])) / len(wanted)
        for answer, wanted in zip(answers, right, strict=True)
    ]
    return sum(shares) / len(shares)


def mean_reciprocal_rank(answers: Sequence[Sequence[str]], right: Sequence[set[str]]) -> float:
    """Give the mean of 1 / rank of the first right answer, 0 if there is none."""
    ranks = [
        next((rank for rank, text in enumerate(answer, start=1) if text in wanted), None)
        for answer, wanted in zip(answers, right, strict=True)
    ]
    return sum(1 / rank for rank in ranks if rank is not None) / len(ranks)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="stanfordnlp/snli", help="Hub id, file, or `sample`")
    parser.add_argument("--split", default="test", help="split of a Hub data set")
    parser.add_argument("--queries", type=int, default=300, help="how many premises ask")
    options = parser.parse_args()

    data = options.data
    try:
        right = entailed(SNLILoader(data, split=options.split).pairs())
    except HubUnreachableError as error:
        print(f"{error}\nGoing on with the sample.")
        data = "sample"
        right = entailed(SNLILoader(data).pairs())
    loader = SNLILoader(data, split=options.split, column="hypothesis", unique=True)
    queries = list(right)[: options.queries]

    with ExitStack() as stack:
        url = os.environ.get("HF_ENDPOINT_URL") or stack.enter_context(LocalEndpoint()).url
        embeddings = stack.enter_context(HFEndpointEmbeddings(endpoint_url=url))
        if "PINECONE_API_KEY" in os.environ:
            store = open_pinecone("snli-evaluation", embeddings)
        else:
            pinecone = stack.enter_context(LocalPinecone())
            store = open_pinecone(
                "snli-evaluation",
                embeddings,
                api_key=pinecone.api_key,
                controller_host=pinecone.host,
            )
        index(loader, InMemoryRecordManager("snli-evaluation"), store, progress=None)
        retriever = store.as_retriever(search_kwargs={"k": max(DEPTHS)})
        answers = [[found.page_content for found in retriever.invoke(query)] for query in queries]

    print(f"{len(queries)} premises asked {loader.report.kept} hypotheses of {data}:")
    wanted = [right[query] for query in queries]
    for depth in DEPTHS:
        print(f"  recall@{depth:<3} {recall_at(depth, answers, wanted):.3f}")
    print(f"  MRR        {mean_reciprocal_rank(answers, wanted):.3f}")


if __name__ == "__main__":
    main()
