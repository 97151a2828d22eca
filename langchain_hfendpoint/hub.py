"""Embedded data sets: embed once, share on the Hub, load in one line, index without embedding.

What Hugging Face's tutorial "Embedding-as-a-Service" does with a data frame in memory and a CSV
file. Here vectors go to Parquet shards as they come, so that a killed run continues; a manifest
says which model made them; and the card lets everybody `load_dataset` them without this package.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from pydantic import SecretStr
from typing_extensions import Self

from langchain_hfendpoint._engine.loop import engine_loop
from langchain_hfendpoint._engine.results import Vectors
from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint._hub import matrix, reading, remote, search
from langchain_hfendpoint._hub.create import Maker, open_creation
from langchain_hfendpoint._hub.encoding import VECTOR, Dtype
from langchain_hfendpoint._hub.manifest import Manifest, Origin, read_manifest, verify
from langchain_hfendpoint._hub.shards import FailedText
from langchain_hfendpoint._hub.sources import Source
from langchain_hfendpoint._indexing.calls import InCallersThread
from langchain_hfendpoint._indexing.interrupt import finish_on_interrupt
from langchain_hfendpoint._indexing.vectors import OnError
from langchain_hfendpoint._provenance import Provenance, provenance_of
from langchain_hfendpoint.errors import EmbeddedDatasetError
from langchain_hfendpoint.vectorstores import check_same_provenance

if TYPE_CHECKING:
    import datasets

__all__ = ["EmbeddedDataset", "FailedText", "Manifest", "Origin"]

_INNER_PRODUCT = 0  # faiss.METRIC_INNER_PRODUCT


class EmbeddedDataset:
    """Texts with their embeddings, in a folder of Parquet files.

    Made by `create`, or `load`ed from a folder or the Hub. `index()` takes it as it takes a
    document loader, and sends nothing to any endpoint.

    Attributes:
        path: The folder.
        manifest: All that is known of it: how the vectors were made, of what, and each file.

    Example:
        ```python
        import tempfile

        from langchain_core.documents import Document
        from langchain_core.embeddings import DeterministicFakeEmbedding

        from langchain_hfendpoint import EmbeddedDataset

        documents = [Document("A man inspects a uniform."), Document("Two women embrace.")]
        with tempfile.TemporaryDirectory() as folder:
            EmbeddedDataset.create(documents, DeterministicFakeEmbedding(size=8), folder)
            embedded = EmbeddedDataset.load(folder)
            assert embedded.to_numpy().shape == (2, 8)
        ```
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def create(
        cls,
        source: Source,
        embeddings: Embeddings,
        path: str | PathLike[str],
        *,
        dtype: Dtype = "float32",
        rows_per_shard: int = 10_000,
        text_column: str = "text",
        id_column: str | None = None,
        origin: Origin | None = None,
        on_error: OnError = "raise",
        progress: bool | None = False,
    ) -> Self:
        """Embed texts into a folder, or continue where an earlier run was stopped.

        Shards that are whole are compared with the source and skipped; only what is missing is
        embedded. What grows at its end can be embedded again and again. Needs the memory of about
        three shards, however long the source. On Ctrl-C and on errors, leading rows of unfinished
        shards are kept too.

        Args:
            source: A document loader, documents, or a `datasets.Dataset`, `IterableDataset` or
                `DatasetDict`. Read once, in the same order every time. Documents belong to the
                split their metadata name, or to `train`.
            embeddings: What embeds the texts; any LangChain embeddings.
            path: The folder; created if it does not exist.
            dtype: How vectors are stored. `"float16"` halves the size at errors of 0.05 %; `"int8"`
                quarters it, with one scale a vector.
            rows_per_shard: Most rows in a file: what a killed run may lose.
            text_column: Column of a data set that is embedded; the others become metadata.
            id_column: Column of a data set that identifies its rows; else ids are made from
                content and metadata.
            origin: What is embedded, for the card; of a data set, what it says of itself.
            on_error: With `"skip"`, texts that cannot be embedded get no row, and are listed in
                `manifest.failed` (delete their shard to try again); with `"raise"`, the first of
                them ends the run.
            progress: Whether to show a progress bar on stderr; `None` for "if it is a terminal".

        Returns:
            The embedded data set.

        Raises:
            ConfigurationError: If an option cannot work.
            EndpointError: If the endpoint fails for good.
            ProvenanceMismatchError: If the folder holds vectors of other embeddings or dtype.
            EmbeddedDatasetError: If it holds vectors of another source, a shard is damaged,
                another process writes into it, or metadata do not fit into columns.
            KeyboardInterrupt: After Ctrl-C, when what is done has been written.
        """
        folder = Path(path)
        calls = InCallersThread()
        with open_creation(
            source,
            Maker.of(embeddings),
            folder,
            dtype=dtype,
            rows_per_shard=rows_per_shard,
            text_column=text_column,
            id_column=id_column,
            origin=origin,
            on_error=on_error,
            progress=progress,
        ) as creation:
            loop = engine_loop()
            running = asyncio.run_coroutine_threadsafe(
                creation.run(embeddings, calls=calls, native_async=False), loop
            )
            with finish_on_interrupt(lambda: loop.call_soon_threadsafe(creation.stop)) as interrupt:
                try:
                    calls.serve_until(running)
                except BaseException as error:
                    running.cancel()
                    if interrupt.happened:
                        raise KeyboardInterrupt from error
                    raise
            return cls(folder, creation.complete())

    @classmethod
    async def acreate(
        cls,
        source: Source,
        embeddings: Embeddings,
        path: str | PathLike[str],
        *,
        dtype: Dtype = "float32",
        rows_per_shard: int = 10_000,
        text_column: str = "text",
        id_column: str | None = None,
        origin: Origin | None = None,
        on_error: OnError = "raise",
        progress: bool | None = False,
    ) -> Self:
        """Embed texts into a folder on the running event loop; as `create`.

        Takes async iterables of documents too. Being cancelled keeps what is done, as Ctrl-C does.

        Args:
            source: As `create`, or an async iterable of documents.
            embeddings: As `create`.
            path: As `create`.
            dtype: As `create`.
            rows_per_shard: As `create`.
            text_column: As `create`.
            id_column: As `create`.
            origin: As `create`.
            on_error: As `create`.
            progress: As `create`.

        Returns:
            As `create`.

        Raises:
            HFEndpointError: As `create`.
        """
        folder = Path(path)
        with open_creation(
            source,
            await asyncio.to_thread(Maker.of, embeddings),
            folder,
            dtype=dtype,
            rows_per_shard=rows_per_shard,
            text_column=text_column,
            id_column=id_column,
            origin=origin,
            on_error=on_error,
            progress=progress,
        ) as creation:
            await creation.run(embeddings, calls=None, native_async=True)
            return cls(folder, await asyncio.to_thread(creation.complete))

    @classmethod
    def load(
        cls,
        repo_id_or_path: str | PathLike[str],
        *,
        revision: str | None = None,
        api_key: SecretStr | str | None = None,
        verify_checksums: bool = True,
    ) -> Self:
        """Load an embedded data set from a folder or the Hub, and check that it is whole.

        Args:
            repo_id_or_path: A folder if there is one of this name, else a repository on the Hub,
                which is downloaded into the Hub's cache.
            revision: Branch, tag or commit of the repository.
            api_key: Token for a repository that is not public; else the one of `hf auth login` or
                `HF_TOKEN`.
            verify_checksums: Whether to read every file to its end and compare its SHA-256 (about
                1 GB a second); else only sizes, footers and dimensions are compared.

        Returns:
            The embedded data set.

        Raises:
            EmbeddedDatasetError: If there is none, or a shard is missing, damaged or a stranger.
            HubUnreachableError: If the Hub does not answer, and it is not in the cache.
            DataError: If there is no such repository or revision, or it may not be read.
        """
        folder = Path(repo_id_or_path)
        if not folder.is_dir():
            name = str(repo_id_or_path)
            if isinstance(repo_id_or_path, PathLike) or name.count("/") != 1 or name[0] in "./~":
                raise EmbeddedDatasetError(
                    f"{name!r} is neither a folder nor the name of a repository (`owner/name`)."
                )
            folder = remote.download(name, revision=revision, api_key=api_key)
        manifest = read_manifest(folder)
        verify(folder, manifest, checksums=verify_checksums)
        return cls(folder, manifest)

    @property
    def provenance(self) -> Provenance:
        """How the vectors were made."""
        return self.manifest.provenance

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split."""
        return self.manifest.splits

    def __len__(self) -> int:
        return sum(self.splits.values())

    def __repr__(self) -> str:
        return (
            f"EmbeddedDataset({str(self.path)!r}, splits={self.splits}, "
            f"dtype={self.manifest.dtype!r}, provenance={self.provenance})"
        )

    def fingerprint(self) -> str:
        """Tell what is equal only for data sets that are equal to the last byte."""
        return self.manifest.fingerprint

    def as_documents(self, split: str | None = None) -> Iterator[Document]:
        """Give the documents without their vectors, which are not read.

        Args:
            split: The split; all of them by default.

        Yields:
            Documents with the ids and metadata they had, but for values that were `None`.

        Raises:
            ConfigurationError: If there is no such split.
            EmbeddedDatasetError: If a shard is damaged.
        """
        return reading.documents(self.path, self.manifest, split)

    def lazy_load_vectors(
        self, split: str | None = None
    ) -> Iterator[tuple[list[Document], Vectors]]:
        """Give documents with their vectors, in batches; what `index()` reads.

        Args:
            split: The split; all of them by default.

        Yields:
            Up to 1,000 documents, and their float32 (n, dimension) vectors.

        Raises:
            ConfigurationError: If there is no such split.
            EmbeddedDatasetError: If a shard is damaged.
        """
        return reading.documents_with_vectors(self.path, self.manifest, split)

    def to_numpy(self, split: str | None = None) -> Vectors:
        """Give all vectors of a split as one array on disk, not in memory.

        The first call decodes them into a file of 4 bytes a number, in the assets folder of the
        Hub's cache; every later one, in any process, only maps that file.

        Args:
            split: The split; may be left out if there is only one.

        Returns:
            Read-only, memory-mapped float32 (n, dimension), in the order of `as_documents(split)`.

        Raises:
            ConfigurationError: If there is no such split, or several and none is named.
            EmbeddedDatasetError: If a shard is damaged.
        """
        return matrix.map_vectors(self.path, self.manifest, self.manifest.only_split(split))

    def to_dataset(self, split: str | None = None) -> datasets.Dataset:
        """Open a split with the `datasets` library.

        Args:
            split: The split; may be left out if there is only one.

        Returns:
            What `load_dataset` gives for it, vectors as they are stored.

        Raises:
            ConfigurationError: If there is no such split, or several and none is named.
            MissingExtraError: If `datasets` is not installed.
        """
        library = import_extra("datasets", "datasets")
        name = self.manifest.only_split(split)
        files = [str(self.path / shard.path) for shard in self.manifest.shards_of(name)]
        opened: datasets.Dataset = library.Dataset.from_parquet(files, split=name)
        return opened

    def with_faiss_index(self, split: str | None = None) -> datasets.Dataset:
        """Open a split with a FAISS index over its vectors (needs `faiss-cpu`).

        Ask it with `get_nearest_examples("embedding", query, k)`; the scores are cosines if `query`
        is float32 of length 1.

        Args:
            split: The split; may be left out if there is only one.

        Returns:
            What `to_dataset` gives, with an exact index named `embedding`.

        Raises:
            ConfigurationError: If there is no such split, or several and none is named.
            MissingExtraError: If `datasets` is not installed.
            ImportError: If FAISS is not.
        """
        opened = self.to_dataset(split)
        vectors = self.to_numpy(split)
        if not self._unit_vectors:
            vectors = search.normalized(vectors)
        opened.add_faiss_index_from_external_arrays(
            vectors, index_name=VECTOR, string_factory="Flat", metric_type=_INNER_PRODUCT
        )
        return opened

    def similarity_search_with_score(
        self, query: str, embeddings: Embeddings, *, k: int = 4, split: str | None = None
    ) -> list[tuple[Document, float]]:
        """Find the texts nearest to a query by comparing it with every one, without any store.

        Args:
            query: The query.
            embeddings: What embeds it: the embeddings that made the vectors.
            k: Most answers.
            split: The split; may be left out if there is only one.

        Returns:
            Documents with the cosine of their vector and the query's, best first.

        Raises:
            ProvenanceMismatchError: If the vectors were made by other embeddings.
            ConfigurationError: If there is no such split, or several and none is named.
            EndpointError: If the query cannot be embedded.
        """
        self.check_embeddings(embeddings)
        name = self.manifest.only_split(split)
        rows, scores = search.nearest(
            self.to_numpy(name), embeddings.embed_query(query), k=k, unit=self._unit_vectors
        )
        found = reading.documents_at(self.path, self.manifest, name, rows)
        return list(zip(found, scores, strict=True))

    def check_embeddings(self, embeddings: Embeddings) -> None:
        """Refuse embeddings whose queries are not comparable with these vectors.

        Args:
            embeddings: What would embed the queries.

        Raises:
            ProvenanceMismatchError: If they are known to be others.
            EndpointError: If their dimension has to be found out and cannot be.
        """
        check_same_provenance(repr(str(self.path)), self.provenance, provenance_of(embeddings))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = True,
        api_key: SecretStr | str | None = None,
        commit_message: str = "Upload texts with their embeddings",
    ) -> str:
        """Make a repository on the Hub hold this data set, in one commit.

        Safe to repeat: what is there already is not uploaded again, and where nothing has changed
        there is no commit. The folder's `README.md` replaces the repository's. With more than 1,000
        shards there are several commits, the manifest in the last.

        Args:
            repo_id: The repository, as `owner/name`; created if it does not exist.
            private: Whether only its owner may see it. An existing public repository is refused,
                unless this is `False`.
            api_key: Token that may write; else the one of `hf auth login` or `HF_TOKEN`.
            commit_message: Message of the commit.

        Returns:
            The commit, which `load` takes as `revision`.

        Raises:
            EmbeddedDatasetError: If a shard is damaged, the repository is public though `private`
                is asked for, or it holds data of somebody else.
            HubUnreachableError: If the Hub does not answer; the same call continues.
            DataError: If it refuses.
        """
        verify(self.path, self.manifest, checksums=True)
        return remote.push(
            self.path,
            self.manifest,
            repo_id,
            private=private,
            api_key=api_key,
            message=commit_message,
        )

    @property
    def _unit_vectors(self) -> bool:
        # Rounding to float16 or int8 changes lengths by more than a score may be off.
        return bool(self.provenance.normalized) and self.manifest.dtype == "float32"
