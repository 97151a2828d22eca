"""Knowing without reading that a source holds nothing new.

A run over a source that has not changed, made in the same way as the last one, would find every
document recorded. Where the source can tell that for less than reading it costs, and the record
manager that nobody has written since, the run is done at once.
"""

from __future__ import annotations

import hashlib
from typing import Protocol, runtime_checkable

from langchain_core.indexing import RecordManager

from langchain_hfendpoint import __version__
from langchain_hfendpoint._indexing.calls import Calls
from langchain_hfendpoint._indexing.keys import KeyEncoder
from langchain_hfendpoint._indexing.ledger import Cleanup
from langchain_hfendpoint._indexing.plan import MetadataConverter, SourceIdKey
from langchain_hfendpoint._indexing.sources import DocumentSource


@runtime_checkable
class HasFingerprint(Protocol):
    """A source that can tell, without being read, whether it is what it was."""

    def fingerprint(self) -> str | None:
        """Give what is equal only if the documents are; `None` if that is not known."""


@runtime_checkable
class RemembersRuns(Protocol):
    """A record manager that knows what the last complete run was over (`SQLiteRecordManager`)."""

    def repeat_run(self, signature: str) -> int | None:
        """Record all documents of a run as indexed now, if nobody has written since."""

    def begin_run(self) -> int:
        """Give the number of the latest write to the namespace, by whomever."""

    def finish_run(
        self, signature: str | None, *, documents: int, after_write: int, writes: int
    ) -> None:
        """Remember a run that has recorded every document of its source."""


class Signature:
    """What a run is over and how it is made, in one string; equal runs give equal ones.

    Args:
        source: The source.
        key_encoder: How keys are made.
        source_id_key: How sources are told.
        convert_metadata: What makes the metadata that are stored.
        cleanup: What is deleted.
    """

    def __init__(
        self,
        source: DocumentSource,
        *,
        key_encoder: KeyEncoder,
        source_id_key: SourceIdKey,
        convert_metadata: MetadataConverter | None,
        cleanup: Cleanup,
    ) -> None:
        self._source = source
        self._options = (key_encoder, source_id_key, convert_metadata, cleanup)

    def __call__(self) -> str | None:
        """Give it; `None` if that is not known."""
        # Whether two functions do the same is not to be known.
        if any(map(callable, self._options)) or not isinstance(self._source, HasFingerprint):
            return None
        fingerprint = self._source.fingerprint()
        if fingerprint is None:
            return None
        # Another version may make other documents of the same source.
        kind = type(self._source)
        told = (__version__, kind.__module__, kind.__qualname__, fingerprint, *self._options)
        return hashlib.sha256(repr(told).encode()).hexdigest()


class Repetition:
    """Finds out whether a run repeats the one before it, and remembers it for the next one.

    Args:
        signature: What the run is over and how it is made.
        manager: The record manager.
        calls: How blocking calls are made.
    """

    def __init__(self, signature: Signature, manager: RecordManager, calls: Calls) -> None:
        self._signature = signature
        self._manager = manager if isinstance(manager, RemembersRuns) else None
        self._calls = calls
        self._told: str | None = None
        self._after_write = 0

    async def begin(self, *, force_update: bool) -> int | None:
        """Record all documents as indexed now, if they are known to be what they were.

        Args:
            force_update: Whether they are to be stored again in any case.

        Returns:
            How many there are, or `None` if the source must be read.
        """
        return await self._calls(lambda: self._begin(force_update))

    async def finish(self, *, documents: int, writes: int) -> None:
        """Remember a run that has recorded every document of its source.

        Args:
            documents: How many there were.
            writes: How many times the run has changed the records.
        """
        await self._calls(lambda: self._finish(documents, writes))

    def _begin(self, force_update: bool) -> int | None:
        if self._manager is None:
            return None
        self._told = self._signature()
        if self._told is not None and not force_update:
            documents = self._manager.repeat_run(self._told)
            if documents is not None:
                return documents
        self._after_write = self._manager.begin_run()
        return None

    def _finish(self, documents: int, writes: int) -> None:
        if self._manager is None:
            return
        # Told again, since a file may have been changed while it was read.
        told = self._signature() if self._told is not None else None
        self._manager.finish_run(
            told if told == self._told else None,
            documents=documents,
            after_write=self._after_write,
            writes=writes,
        )
