"""The Pinecone tutorial as one job: endpoint, dimension, index, SNLI, statistics, three queries.

What Hugging Face's and Pinecone's tutorial does by hand in a notebook: embed the unique hypotheses
of SNLI through an endpoint, upsert them, and ask with premises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from langchain_hfendpoint._provenance import provenance_of
from langchain_hfendpoint.document_loaders import SNLILoader
from langchain_hfendpoint.errors import DataError, HubUnreachableError
from langchain_hfendpoint.indexing import index
from langchain_hfendpoint.record_manager import SQLiteRecordManager

if TYPE_CHECKING:
    from langchain_pinecone import PineconeVectorStore

HUB_DATA_SET = "stanfordnlp/snli"
SAMPLE = "sample"
QUERY_ROWS = (0, 100, 200)
"""The rows whose premises the tutorial asks with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One stored text that answers a query.

    Attributes:
        score: Similarity by the index's metric; for cosine, 1 is the same direction.
        text: The stored text.
        id: Its id in the index.
        metadata: Its metadata.
    """

    score: float
    text: str
    id: str | None
    metadata: dict[str, object]


@dataclass(frozen=True, slots=True)
class Query:
    """A query and its answers, best first."""

    text: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class QuickstartReport:
    """What a quickstart did.

    Attributes:
        data: The data set.
        texts: Unique texts taken from it.
        duplicates: Texts left out because they had been seen; `None` if the data have not changed
            since the run before, and were not read.
        embedded: Texts sent to the endpoint in this run.
        dimension: Numbers in a vector.
        seconds: Wall-clock seconds of each stage.
        texts_per_second: Embedded texts a second while indexing.
        stats: The index's statistics.
        queries: The three queries with their answers.
    """

    data: str
    texts: int
    duplicates: int | None
    embedded: int
    dimension: int
    seconds: dict[str, float]
    texts_per_second: float
    stats: dict[str, object]
    queries: tuple[Query, ...]


@dataclass(slots=True)
class Stopwatch:
    """Adds up wall-clock seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time spent inside the `with` block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + elapsed, 3)


def run_quickstart(
    embeddings: Embeddings,
    open_store: Callable[[Embeddings], PineconeVectorStore],
    record_manager: SQLiteRecordManager,
    *,
    data: str | None,
    limit: int,
    stopwatch: Stopwatch,
    say: Callable[[str, str], None],
    progress: bool | None = None,
) -> QuickstartReport:
    """Do what the tutorial does, from an endpoint that runs to the answers of three queries.

    Args:
        embeddings: The embeddings by the endpoint.
        open_store: Opens the index, once the dimension is known.
        record_manager: Remembers what is indexed already.
        data: Hub id, local file or `sample`; `None` for SNLI from the Hub, and the sample if the
            Hub cannot be reached.
        limit: Unique hypotheses to take.
        stopwatch: Where the stages' seconds are counted.
        say: Told of each step: its name and what came out.
        progress: Whether to show a progress bar; `None` for "if stderr is a terminal".

    Returns:
        What was done.

    Raises:
        HFEndpointError: If a step fails; the same call then continues where it stopped.
        KeyboardInterrupt: On Ctrl-C, after what was in flight has been stored and recorded.
    """
    with stopwatch.stage("dimension"):
        dimension = provenance_of(embeddings).dimension
    say("Dimension", f"{dimension:,}")

    with stopwatch.stage("index"):
        store = open_store(embeddings)
        if count_vectors(store) == 0:
            # The index was deleted behind our back, or is new: nothing is known to be in it.
            record_manager.delete_keys(record_manager.list_keys())

    with stopwatch.stage("data"):
        source, premises = choose_data(data, say)
    loader = SNLILoader(source, column="hypothesis", unique=True, limit=limit)
    say("Data", f"{source}, up to {limit:,} unique hypotheses")

    with stopwatch.stage("embed_and_upsert"):
        outcome = index(loader, record_manager, store, progress=progress)
    texts = outcome["num_added"] + outcome["num_updated"] + outcome["num_skipped"]
    duplicates = None if outcome.unchanged else loader.report.duplicates
    say(
        "Indexed",
        f"{texts:,} texts ({outcome.embedded:,} embedded now, "
        + (
            "the data have not changed)"
            if outcome.unchanged
            else f"{duplicates:,} duplicates dropped)"
        ),
    )

    with stopwatch.stage("statistics"):
        stats = index_statistics(store)
    with stopwatch.stage("queries"):
        queries = tuple(ask(store, premise, k=5) for premise in premises)
    embedded = outcome.embedded
    return QuickstartReport(
        data=source,
        texts=texts,
        duplicates=duplicates,
        embedded=embedded,
        dimension=dimension,
        seconds=dict(stopwatch.seconds),
        texts_per_second=round(embedded / stopwatch.seconds["embed_and_upsert"], 1),
        stats=stats,
        queries=queries,
    )


def choose_data(data: str | None, say: Callable[[str, str], None]) -> tuple[str, list[str]]:
    """Choose the data set and read the tutorial's queries from it.

    Args:
        data: Hub id, local file or `sample`; `None` for SNLI, or else the sample.
        say: Told if the sample has to stand in.

    Returns:
        The data set, and its premises of rows 0, 100 and 200.

    Raises:
        DataError: If it cannot be read, or has no such rows.
    """
    try:
        return data or HUB_DATA_SET, _premises(data or HUB_DATA_SET)
    except HubUnreachableError:
        if data is not None:
            raise
        say("Data", "the Hub cannot be reached, so the built-in sample stands in for SNLI")
        return SAMPLE, _premises(SAMPLE)


def ask(store: PineconeVectorStore, query: str, *, k: int) -> Query:
    """Search through the store's retriever, keeping the scores that retrievers drop.

    Args:
        store: The store.
        query: The text to search with.
        k: Number of answers.

    Returns:
        The query with its answers, best first.
    """
    retriever = store.as_retriever(search_kwargs={"k": k})
    found = retriever.vectorstore.similarity_search_with_score(query, **retriever.search_kwargs)
    answers = (
        Answer(round(float(score), 6), document.page_content, document.id, document.metadata)
        for document, score in found
    )
    return Query(query, tuple(sorted(answers, key=lambda answer: -answer.score)))


def count_vectors(store: PineconeVectorStore) -> int:
    """Count the vectors in all namespaces of a store's index."""
    return int(store.index.describe_index_stats().total_vector_count)


def index_statistics(store: PineconeVectorStore) -> dict[str, object]:
    """Give a store's index statistics with Pinecone's own keys."""
    stats: dict[str, object] = store.index.describe_index_stats().to_dict()
    return stats


def _premises(source: str) -> list[str]:
    loader = SNLILoader(source, column="premise", limit=max(QUERY_ROWS) + 1)
    by_row = {document.metadata["row"]: document.page_content for document in loader.lazy_load()}
    missing = [row for row in QUERY_ROWS if row not in by_row]
    if missing:
        raise DataError(
            f"The queries are the premises of rows {QUERY_ROWS} of {source!r}, but it has no "
            f"premise in row {missing[0]}. Take a larger data set."
        )
    return [by_row[row] for row in QUERY_ROWS]
