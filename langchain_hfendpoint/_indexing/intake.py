"""The first stage: read batches, look up what is known, and send the rest where it is to go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from langchain_hfendpoint._indexing.channel import Channel
from langchain_hfendpoint._indexing.ledger import Batch, Ledger, Pending
from langchain_hfendpoint._indexing.plan import Item, Planner
from langchain_hfendpoint._indexing.records import Records
from langchain_hfendpoint._indexing.report import BusyTime
from langchain_hfendpoint._indexing.sources import Chunk
from langchain_hfendpoint._indexing.vectors import Row, VectorMemory
from langchain_hfendpoint._sinks.base import Sink
from langchain_hfendpoint.errors import MetadataError


@dataclass(slots=True, eq=False)
class Text:
    """A text that is being embedded, and all documents that wait for its vector."""

    content: bytes
    text: str
    waiting: list[Pending]


class Intake:
    """Reads the source and decides what becomes of each document.

    Args:
        chunks: The source, in batches.
        planner: Gives documents their keys.
        records: The record manager.
        sink: Where documents go.
        ledger: The books of the run.
        texts: Where texts go that are to be embedded.
        ready: Where documents go that can be written.
        force_update: Whether to store again what is known.
        skip_errors: Whether a document that cannot be stored is left out; else it is an error.
        busy: Where the time of this stage is counted.
    """

    def __init__(
        self,
        chunks: AsyncIterator[Chunk],
        *,
        planner: Planner,
        records: Records,
        sink: Sink,
        ledger: Ledger,
        texts: Channel[Sequence[Text]],
        ready: Channel[Sequence[Pending]],
        force_update: bool,
        skip_errors: bool,
        busy: BusyTime,
    ) -> None:
        self._chunks = chunks
        self._planner = planner
        self._records = records
        self._sink = sink
        self._ledger = ledger
        self._texts = texts
        self._ready = ready
        self._force_update = force_update
        self._skip_errors = skip_errors
        self._busy = busy
        self._memory = VectorMemory()
        self._embedding: dict[bytes, Text] = {}
        self._verified = False

    async def run(self) -> None:
        """Read the source to its end."""
        while True:
            with self._busy.stage("reading"):
                chunk = await anext(self._chunks, None)
            if chunk is None:
                return
            with self._busy.stage("looking up"):
                pending = await self._look_up(chunk)
            if pending:
                await self._dispatch(pending, chunk)

    def embedded(self, text: Text, row: Row | None) -> list[Pending]:
        """Take note that a text is done.

        Args:
            text: The text.
            row: Its vector, or `None` if it failed.

        Returns:
            The documents that waited for it.
        """
        del self._embedding[text.content]
        if row is not None:
            self._memory.put(text.content, row)
        for pending in text.waiting:
            pending.row = row
        return text.waiting

    async def _look_up(self, chunk: Chunk) -> list[Pending]:
        planned = self._planner.plan(chunk.documents, skip_errors=self._skip_errors)
        batch = Batch(groups=[item.group for item in planned.items if item.group is not None])
        self._ledger.skip(planned.duplicates)
        for error in planned.rejected:
            self._ledger.reject(batch, key="", group=None, error=error)
        keys = [item.key for item in planned.items]
        await self._wait_until_at_rest(keys)
        known = await self._records.look_up(
            keys,
            [item.group for item in planned.items],
            time_at_least=self._ledger.started_at,
            refresh=not self._force_update,
        )
        fresh = list(zip(planned.items, known, strict=True))
        if not self._force_update:
            fresh = [(item, is_known) for item, is_known in fresh if not is_known]
            self._ledger.skip(len(keys) - len(fresh))
        pending = self._check(fresh, batch)
        await self._ledger.begin(batch, pending, keys)
        return pending

    async def _wait_until_at_rest(self, keys: Sequence[str]) -> None:
        """Let no key be on its way twice, so that the later document wins, as it should."""
        for batch in self._ledger.on_the_way(keys):
            await batch.done.wait()

    def _check(self, fresh: Sequence[tuple[Item, bool]], batch: Batch) -> list[Pending]:
        """Refuse what the store cannot hold before anything is paid for it."""
        pending = []
        for item, exists in fresh:
            try:
                encoded = self._sink.check(item.key, item.document)
            except MetadataError as error:
                if not self._skip_errors:
                    raise
                self._ledger.reject(batch, key=item.key, group=item.group, error=error)
                continue
            pending.append(
                Pending(
                    key=item.key,
                    document=item.document,
                    encoded=encoded,
                    item=item,
                    exists=exists,
                    batch=batch,
                )
            )
        return pending

    async def _dispatch(self, pending: Sequence[Pending], chunk: Chunk) -> None:
        """Send documents to be written if they have their vectors, and else to be embedded."""
        if self._sink.takes_vectors:
            pending = await self._take_known_vectors(pending, chunk)
        if pending:
            await self._ready.put(pending)

    async def _take_known_vectors(
        self, pending: Sequence[Pending], chunk: Chunk
    ) -> Sequence[Pending]:
        if not self._verified:
            await self._sink.verify()
            self._verified = True
        if chunk.vectors is not None:
            for one in pending:
                one.row = chunk.vectors[one.item.position]
            self._ledger.reused += len(pending)
            return pending
        known = await self._known_vectors(pending)
        ready: list[Pending] = []
        texts: list[Text] = []
        for one in pending:
            one.row = known.get(one.item.content)
            if one.row is not None:
                self._ledger.reused += 1
                ready.append(one)
            elif (text := self._embedding.get(one.item.content)) is not None:
                self._ledger.reused += 1
                text.waiting.append(one)
            else:
                text = Text(one.item.content, one.document.page_content, [one])
                self._embedding[one.item.content] = text
                texts.append(text)
        if texts:
            await self._texts.put(texts)
        return ready

    async def _known_vectors(self, pending: Sequence[Pending]) -> Mapping[bytes, Row]:
        """Find vectors in memory, and in the store where the records know which document has them.

        When everything is to be stored again, it may be for the sake of new embeddings; then only
        what was embedded in this run counts.
        """
        known: dict[bytes, Row] = {}
        unknown = []
        for content in dict.fromkeys(one.item.content for one in pending):
            row = self._memory.get(content)
            if row is not None:
                known[content] = row
            elif content not in self._embedding:
                unknown.append(content)
        if self._force_update or not unknown:
            return known
        keys = await self._records.by_content(unknown)
        if keys:
            stored = await self._sink.fetch(list(keys.values()))
            for content, key in keys.items():
                if key in stored:
                    known[content] = stored[key]
                    self._memory.put(content, stored[key])
        return known
