"""SNLI and everything of its shape, as LangChain Documents, streamed.

LangChain's community loader for Hub data sets fails with `datasets` 5, wraps every text in quotes
and reads all before it gives anything. This one reads files and Hub data sets batch by batch,
recognizes how NLI sets are laid out, drops duplicates in 32 bytes a text, and gives equal texts
equal ids wherever they come from.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.runnables import run_in_executor
from pydantic import SecretStr
from typing_extensions import Self

from langchain_hfendpoint._nli.files import Format
from langchain_hfendpoint._nli.items import Choice, Item, Kind
from langchain_hfendpoint._nli.pipeline import Plan, most, run
from langchain_hfendpoint._nli.report import Counts, LoadReport
from langchain_hfendpoint._nli.sources import TextFormat, source_of
from langchain_hfendpoint._nli.stream import Collected
from langchain_hfendpoint._progress import progress_bar
from langchain_hfendpoint.errors import ConfigurationError

if TYPE_CHECKING:
    import datasets

__all__ = ["LoadReport", "NLIPair", "SNLILoader"]

_KINDS: dict[str, tuple[Kind, ...]] = {
    "premise": ("premise",),
    "hypothesis": ("hypothesis",),
    "both": ("premise", "hypothesis"),
    "pair": ("pair",),
}
_BOTH_ROLES = frozenset({"premise", "hypothesis"})


class NLIPair(NamedTuple):
    """A premise, a hypothesis, and how they stand to each other.

    Attributes:
        premise: The premise.
        hypothesis: The hypothesis.
        label: Name of the label, such as `"entailment"`, or `"-"` without a gold label; the score
            where a source has scores and no labels; `None` where it has neither.
    """

    premise: str
    hypothesis: str
    label: str | float | None


class SNLILoader(BaseLoader):
    """Load premise / hypothesis / label data as Documents, one batch at a time.

    Reads the Hub, Parquet, JSON Lines, JSON, CSV and TSV files (also gzipped), `datasets` objects,
    and a built-in sample. Columns and labels of SNLI, MultiNLI, ANLI, SICK, XNLI, SciTail, GLUE,
    AllNLI triplets and STS pairs are recognized.

    A Document's `id` is a hash of its text, so that a text has one id whatever file, format or
    run it comes from. Its metadata: `dataset`, `split` (if known), `row` (from 0), `label` (0
    entailment, 1 neutral, 2 contradiction, -1 none) and `label_name`, `score` where there are
    scores; with `column="both"` also `column`. All of it is accepted by Pinecone.

    Args:
        source: Hub id, path, glob, folder, fsspec URL, `"sample"` (the built-in sample), or a
            `datasets.Dataset`, `IterableDataset` or `DatasetDict`.
        column: What becomes a Document: `"hypothesis"`, `"premise"`, `"both"` (one Document a
            sentence), `"pair"` (one a pair), or the name of any other column with texts.
        config: Configuration of a Hub data set.
        split: Split to read. The Hub's default is `"train"`; of a folder or glob, only the files
            named after the split are read.
        revision: Branch, tag or commit of a Hub data set.
        streaming: Whether a Hub data set is read over the network as one goes, or downloaded
            first.
        api_key: Token for Hub data sets that are not public; else the one of `hf auth login` or
            `HF_TOKEN` is used.
        file_format: Format of files whose name does not tell it.
        columns: Columns for the roles `"premise"`, `"hypothesis"`, `"label"`, `"score"`, where
            they are not recognized.
        labels: Names of the labels 0, 1, ..., or a mapping from raw labels to names.
        template: How a pair becomes one text (`column="pair"`), with `{premise}`,
            `{hypothesis}` and `{label}`.
        unlabelled: Whether rows without a gold label are kept or dropped; by default kept for
            sentences and dropped for pairs.
        unique: Whether only the first of equal texts is given.
        collect: What a unique Document tells of its duplicates: `"rows"` (their row numbers, in
            `duplicate_rows`), `"labels"` (all labels of the text, in `label_names`). The source
            is read twice for it.
        include_other: Whether the metadata holds the other sentence of the pair too.
        metadata_columns: Further columns for the metadata.
        offset: Documents to leave out at the start.
        limit: Documents to give at most.
        shuffle: Seed of a random order; the source's order if `None`.
        shuffle_buffer: Documents held to draw from when shuffling.
        on_error: Whether a broken row raises, or is skipped and counted.
        encoding: Encoding of text files.
        delimiter: Field separator of CSV and TSV files; told from their first line if `None`.
        quoting: Whether fields of CSV and TSV files may be quoted; told from the file if `None`.
        column_names: The columns of CSV and TSV files without a header.
        storage_options: Options for fsspec (credentials and the like).
        show_progress: Whether to show a progress bar; `None`: if stderr is a terminal.

    Raises:
        ConfigurationError: If an option cannot work.
        MissingExtraError: If the source needs the extra `datasets`.

    Examples:
        >>> from langchain_hfendpoint import SNLILoader
        >>> loader = SNLILoader("sample", column="hypothesis", unique=True, limit=2)
        >>> [document.metadata["label_name"] for document in loader.lazy_load()]
        ['entailment', 'neutral']
        >>> loader.report.kept
        2
    """

    def __init__(
        self,
        source: str | Path | datasets.Dataset | datasets.IterableDataset = "stanfordnlp/snli",
        *,
        column: str = "hypothesis",
        config: str | None = None,
        split: str | None = None,
        revision: str | None = None,
        streaming: bool = True,
        api_key: SecretStr | str | None = None,
        file_format: Format | None = None,
        columns: Mapping[str, str] | None = None,
        labels: Sequence[str] | Mapping[str | int, str] | None = None,
        template: str = "{premise}\n{hypothesis}",
        unlabelled: Literal["keep", "drop"] | None = None,
        unique: bool = False,
        collect: Sequence[Collected] = (),
        include_other: bool = False,
        metadata_columns: Sequence[str] = (),
        offset: int = 0,
        limit: int | None = None,
        shuffle: int | None = None,
        shuffle_buffer: int = 10_000,
        on_error: Literal["raise", "skip"] = "raise",
        encoding: str = "utf-8",
        delimiter: str | None = None,
        quoting: bool | None = None,
        column_names: Sequence[str] | None = None,
        storage_options: Mapping[str, Any] | None = None,
        show_progress: bool | None = False,
    ) -> None:
        for is_wrong, complaint in (
            (offset < 0, f"offset={offset} is negative"),
            (limit is not None and limit < 0, f"limit={limit} is negative"),
            (shuffle_buffer < 1, f"shuffle_buffer={shuffle_buffer} is less than 1"),
            (bool(collect) and not unique, "collect needs unique=True"),
            (not set(collect) <= {"labels", "rows"}, f"collect={collect!r} is unknown"),
            (on_error not in {"raise", "skip"}, f"on_error={on_error!r} is unknown"),
            (unlabelled not in {None, "keep", "drop"}, f"unlabelled={unlabelled!r} is unknown"),
            (
                not _can_fill_in(template),
                f"template={template!r} has other fields than it can have",
            ),
        ):
            if is_wrong:
                raise ConfigurationError(f"SNLILoader: {complaint}.")
        given = dict(columns or {})
        if column not in _KINDS:
            given["hypothesis"] = column
        self._kinds = _KINDS.get(column, ("hypothesis",))
        needed = _BOTH_ROLES if "pair" in self._kinds or include_other else frozenset(self._kinds)
        keep = unlabelled == "keep" or (unlabelled is None and column != "pair")
        self._plan = Plan(
            choice=Choice(self._kinds, template, keep, tuple(metadata_columns)),
            needed=needed,
            columns=given,
            labels=labels,
            on_error=on_error,
            shard=(0, 1),
            unique=unique,
            collect=tuple(collect),
            shuffle=shuffle,
            shuffle_buffer=shuffle_buffer,
            offset=offset,
            limit=limit,
        )
        self._source = source_of(
            source,
            configuration=config,
            split=split,
            revision=revision,
            streaming=streaming,
            token=SecretStr(api_key) if isinstance(api_key, str) else api_key,
            file_format=file_format,
            text=TextFormat(
                encoding, delimiter, quoting, None if column_names is None else tuple(column_names)
            ),
            storage_options=storage_options or {},
        )
        self._keep_in_pairs = unlabelled == "keep"
        self._include_other = include_other
        self._show_progress = show_progress
        self._counts = Counts()

    @property
    def report(self) -> LoadReport:
        """What the latest pass has read, kept and dropped so far."""
        return self._counts.report()

    def lazy_load(self) -> Iterator[Document]:
        """Give the Documents one by one, holding one batch of 1,000 rows.

        Yields:
            The Documents, in the order of the source unless shuffled.

        Raises:
            DataError: If the source cannot be read as asked, or not to its end.
            HubUnreachableError: If the Hub does not answer within seconds.
        """
        for batch in self._document_batches():
            yield from batch

    async def alazy_load(self) -> AsyncIterator[Document]:
        """Give the Documents one by one, reading in another thread, one hop for each batch.

        Yields:
            As `lazy_load`.

        Raises:
            DataError: As `lazy_load`.
            HubUnreachableError: As `lazy_load`.
        """
        batches = self._document_batches()
        while (batch := await run_in_executor(None, next, batches, None)) is not None:
            for document in batch:
                yield document

    def pairs(self) -> Iterator[NLIPair]:
        """Give (premise, hypothesis, label), to measure how well a retriever finds what.

        Whatever `column` says; the other options hold, `unique` for whole pairs. Rows without a
        gold label are left out unless `unlabelled="keep"`.

        Yields:
            The pairs in order.

        Raises:
            DataError: As `lazy_load`.
            HubUnreachableError: As `lazy_load`.

        Examples:
            >>> from langchain_hfendpoint import SNLILoader
            >>> [pair.label for pair in SNLILoader("sample", limit=3).pairs()]
            ['entailment', 'neutral', 'contradiction']
        """
        choice = replace(self._plan.choice, kinds=("pair",), keep_unlabelled=self._keep_in_pairs)
        self._counts = counts = Counts()
        for batch in run(
            self._source, replace(self._plan, choice=choice, needed=_BOTH_ROLES), counts
        ):
            for item in batch:
                label = item.score if item.label is None else item.label.name
                yield NLIPair(item.premise or "", item.hypothesis or "", label)

    def shard(self, index: int, of: int) -> Self:
        """Make the loader of one of several workers.

        Which worker gets a text depends on the text alone: equal texts go to the same worker, so
        that `unique=True` holds over all of them. Each worker reads the whole source.

        Args:
            index: Number of the worker, from 0.
            of: How many workers there are.

        Returns:
            A new loader that gives this worker's share; `offset` and `limit` hold for the share.

        Raises:
            ConfigurationError: If `index` is not in `range(of)`.
        """
        if not 0 <= index < of:
            raise ConfigurationError(f"shard({index}, {of}): the index must be in 0..{of - 1}.")
        other = copy.copy(self)
        other._plan = replace(self._plan, shard=(index, of))
        other._counts = Counts()
        return other

    def max_documents(self) -> int | None:
        """Tell how many Documents there will be at most, if that costs little.

        Parquet files, downloaded and in-memory data sets, most Hub data sets and the sample know
        their rows. For progress bars.

        Returns:
            The number, or `None` if only reading would tell.

        Raises:
            DataError: If the source cannot be opened.
            HubUnreachableError: As `lazy_load`.
        """
        return most(self._source, self._plan)

    def fingerprint(self) -> str | None:
        """Tell what is equal only if all Documents are, so that `index()` need not read them again.

        Known for files on this machine, which are read for their checksums, for Hub data sets
        whose `revision` is a commit, and for the sample.

        Returns:
            A checksum, or `None` if only reading would tell.

        Raises:
            DataError: If the source cannot be read.
        """
        source = self._source.fingerprint()
        if source is None:
            return None
        told = repr((source, self._plan, self._kinds, self._include_other))
        return hashlib.sha256(told.encode()).hexdigest()

    def _document_batches(self) -> Iterator[list[Document]]:
        self._counts = counts = Counts()
        dataset = self._source.dataset
        bar = progress_bar(
            "Loading",
            total=self.max_documents() if self._show_progress else None,
            unit=" documents",
            show=self._show_progress,
        )
        try:
            for batch in run(self._source, self._plan, counts):
                yield [self._document(item, dataset) for item in batch]
                bar.update(len(batch))
        finally:
            bar.close()

    def _document(self, item: Item, dataset: str) -> Document:
        metadata: dict[str, Any] = {"dataset": dataset}
        if item.split is not None:
            metadata["split"] = item.split
        metadata["row"] = item.row
        if item.label is not None:
            metadata["label"] = item.label.number
            metadata["label_name"] = item.label.name
        if item.score is not None:
            metadata["score"] = item.score
        if len(self._kinds) > 1:
            metadata["column"] = item.kind
        if self._include_other:
            if item.kind != "premise" and item.premise is not None:
                metadata["premise"] = item.premise
            if item.kind != "hypothesis" and item.hypothesis is not None:
                metadata["hypothesis"] = item.hypothesis
        return Document(
            page_content=item.text,
            id=item.key.hex(),
            metadata={**item.extra, **metadata},
        )


def _can_fill_in(template: str) -> bool:
    try:
        template.format(premise="", hypothesis="", label="")
    except (LookupError, ValueError):
        return False
    return True
