"""The first stage: read batches, look up what is known, and send the rest where it is to go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from langchain_hfendpoint._indexing.channel import Channel
from langchain_hfendpoint._indexing.ledger import Batch, Ledger
from langchain_hfendpoint._indexing.plan import Item, PlannedDocuments, Planner
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
    waiting: list[Item]


class Intake:
    """Reads the source and decides what becomes of each document.

    Args:
        chunks: The source: batches, those together that came at once.
        planner: Gives documents their keys.
        records: The record manager.
        sink: Where documents go.
        ledger: The books of the run.
        texts: Where texts go that are to be embedded.
        ready: Where documents go that can be written.
        hurry: Told whether this stage waits for documents that are on their way.
        force_update: Whether to store again what is known.
        skip_errors: Whether a document that cannot be stored is left out; else it is an error.
        busy: Where the time of this stage is counted.
    """

    def __init__(
        self,
        chunks: AsyncIterator[Sequence[Chunk]],
        *,
        planner: Planner,
        records: Records,
        sink: Sink,
        ledger: Ledger,
        texts: Channel[Sequence[Text]],
        ready: Channel[Sequence[Item]],
        hurry: Callable[[bool], None],
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
        self._hurry = hurry
        self._force_update = force_update
        # Batches that came at once are looked up at once, which costs less, unless one has to be
        # stored before the next is looked up.
        self._one_by_one = (
            force_update or ledger.cleanup == "incremental" or not records.takes_any_number
        )
        self._skip_errors = skip_errors
        self._busy = busy
        self._memory = VectorMemory()
        self._embedding: dict[bytes, Text] = {}
        self._verified = False

    async def run(self) -> None:
        """Read the source to its end."""
        while True:
            with self._busy.stage("reading"):
                chunks = await anext(self._chunks, None)
            if chunks is None:
                return
            for some in [[one] for one in chunks] if self._one_by_one else [chunks]:
                await self._take(some)

    def embedded(self, text: Text, row: Row | None) -> list[Item]:
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

    async def _take(self, chunks: Sequence[Chunk]) -> None:
        """Send on what is new in some batches; raise what is wrong with them after that."""
        with self._busy.stage("looking up"):
            planned = self._planner.plan(chunks, skip_errors=self._skip_errors)
            pending, refusal = await self._look_up(planned)
        if pending:
            await self._dispatch(pending)
        if error := refusal or planned.error:
            raise error

    async def _look_up(self, planned: PlannedDocuments) -> tuple[list[Item], MetadataError | None]:
        """Tell what is to be stored, up to the first document that ends the run."""
        batch = Batch(groups=[item.group for item in planned.items if item.group is not None])
        self._ledger.skip(planned.duplicates)
        for error in planned.rejected:
            self._ledger.reject(batch, key="", group=None, error=error)
        items = self._without_repetitions(planned.items)
        keys = [item.key for item in items]
        await self._wait_until_at_rest(keys)
        known = await self._records.look_up(
            keys,
            [item.group for item in items],
            time_at_least=self._ledger.started_at,
            refresh=not self._force_update,
        )
        if self._force_update:
            fresh, recorded = items, list(compress(keys, known))
        else:
            fresh = [item for item, is_known in zip(items, known, strict=True) if not is_known]
            recorded = []
            self._ledger.skip(len(keys) - len(fresh))
        pending, refusal = self._check(fresh, batch)
        await self._ledger.begin(batch, pending, keys, recorded=recorded)
        return pending, refusal

    def _without_repetitions(self, items: Sequence[Item]) -> Sequence[Item]:
        """Leave out documents whose equals are on their way, as those that come twice in a batch.

        Waiting until those are stored would stop everything: a column that repeats its sentences
        has some in most batches. If one on its way fails, it alone is named as failed.
        """
        if self._force_update or not self._planner.equal_keys_mean_equal_documents:
            return items
        arriving = self._ledger.arriving
        rest = [item for item in items if item.key not in arriving]
        self._ledger.skip(len(items) - len(rest))
        return rest

    async def _wait_until_at_rest(self, keys: Sequence[str]) -> None:
        """Let no key be on its way twice, so that the later document wins, as it should."""
        batches = self._ledger.on_the_way(keys)
        if not batches:
            return
        self._hurry(True)
        try:
            for batch in batches:
                await batch.done.wait()
        finally:
            self._hurry(False)

    def _check(
        self, fresh: Sequence[Item], batch: Batch
    ) -> tuple[list[Item], MetadataError | None]:
        """Refuse what the store cannot hold before anything is paid for it."""
        pending: list[Item] = []
        for item in fresh:
            try:
                item.encoded = self._sink.check(item.key, item.document)
            except MetadataError as error:
                if not self._skip_errors:
                    return pending, error
                self._ledger.reject(batch, key=item.key, group=item.group, error=error)
                continue
            pending.append(item)
        return pending, None

    async def _dispatch(self, pending: Sequence[Item]) -> None:
        """Send documents to be written if they have their vectors, and else to be embedded."""
        if self._sink.takes_vectors:
            pending = await self._take_known_vectors(pending)
        if pending:
            await self._ready.put(pending)

    async def _take_known_vectors(self, pending: Sequence[Item]) -> Sequence[Item]:
        if not self._verified:
            await self._sink.verify()
            self._verified = True
        if pending[0].row is not None:  # then all have one
            self._ledger.reused += len(pending)
            return pending
        known = await self._known_vectors(pending)
        ready: list[Item] = []
        texts: list[Text] = []
        for one in pending:
            one.row = known.get(one.content)
            if one.row is not None:
                self._ledger.reused += 1
                ready.append(one)
            elif (text := self._embedding.get(one.content)) is not None:
                self._ledger.reused += 1
                text.waiting.append(one)
            else:
                text = Text(one.content, one.document.page_content, [one])
                self._embedding[one.content] = text
                texts.append(text)
        if texts:
            await self._texts.put(texts)
        return ready

    async def _known_vectors(self, pending: Sequence[Item]) -> Mapping[bytes, Row]:
        """Find vectors in memory, and in the store where the records know which document has them.

        When everything is to be stored again, it may be for the sake of new embeddings; then only
        what was embedded in this run counts.
        """
        known: dict[bytes, Row] = {}
        unknown = []
        for content in dict.fromkeys(one.content for one in pending):
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
