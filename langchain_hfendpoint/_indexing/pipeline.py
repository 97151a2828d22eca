"""The run itself: four stages that overlap, each passing on to the next what it has done.

    intake ──texts──▶ embed ──ready──▶ write ──stored──▶ record

What has a vector, or needs none, goes from intake straight to write. When a stage fails, those
before it are stopped and those after it finish what they have, so that whatever the store has
confirmed is recorded. A document that is on its way is a duplicate when it comes again; where its
key does not tell that it is the same, the later batch waits. So everything ends as if batch had
followed batch, which is how langchain-core counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from langchain_hfendpoint._indexing.channel import Channel
from langchain_hfendpoint._indexing.intake import Intake, Text
from langchain_hfendpoint._indexing.ledger import Cleanup, Ledger
from langchain_hfendpoint._indexing.plan import Item, Planner
from langchain_hfendpoint._indexing.records import Records
from langchain_hfendpoint._indexing.report import BusyTime, IndexingReport
from langchain_hfendpoint._indexing.sources import Chunk
from langchain_hfendpoint._indexing.unchanged import Repetition
from langchain_hfendpoint._indexing.vectors import OnError, embed_stream, patience_with_texts
from langchain_hfendpoint._progress import ProgressBar, complete
from langchain_hfendpoint._sinks.base import Sink, Write
from langchain_hfendpoint.errors import ConfigurationError

_TEXTS_WAITING = 1_024
_DOCUMENTS_WAITING = 4_096
_DOCUMENTS_TO_RECORD = 2_000
# A request costs both sides about as much as 20 records do; a commit touches about as many pages
# of the records' file as it has documents, up to all of them.
_LINGER_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to be made; see `langchain_hfendpoint.indexing.index`."""

    cleanup: Cleanup
    cleanup_batch_size: int
    force_update: bool
    on_error: OnError
    native_async: bool


class Pipeline:
    """One run; used once, on one event loop.

    Args:
        chunks: The source: batches, those together that came at once.
        planner: Gives documents their keys.
        records: The record manager.
        sink: Where documents go.
        options: How to run.
        repetition: Tells whether the source needs to be read at all.
        bar: Told of each document that is done.
    """

    def __init__(
        self,
        chunks: AsyncIterator[Sequence[Chunk]],
        *,
        planner: Planner,
        records: Records,
        sink: Sink,
        options: Options,
        repetition: Repetition,
        bar: ProgressBar,
    ) -> None:
        self._chunks = chunks
        self._planner = planner
        self._records = records
        self._sink = sink
        self._options = options
        self._repetition = repetition
        self._bar = bar
        self._busy = BusyTime(time.perf_counter)
        self._tasks: list[asyncio.Task[None]] = []
        self._error: BaseException | None = None
        self._stopping = False

    async def run(self) -> IndexingReport:
        """Run to the end.

        Returns:
            What was done.

        Raises:
            Exception: The first failure of any stage, once all that was stored is recorded.
        """
        try:
            await self._set_up()
            with self._busy.stage("looking up"):
                unchanged = await self._repetition.begin(force_update=self._options.force_update)
            if unchanged is not None:
                self._ledger.skip(unchanged)
            else:
                await self._run_stages()
            if not self._stopping:
                complete(self._bar)
        finally:
            await self._sink.close()
        return self._ledger.report(unchanged=unchanged is not None, interrupted=self._stopping)

    async def _run_stages(self) -> None:
        stages: list[tuple[Callable[[], Awaitable[None]], Callable[[], None]]] = [
            (self._intake.run, self._texts.close),
            (self._embed, self._ready.close),
            (self._write, self._stored.close),
            (self._record, lambda: None),
        ]
        for position, (body, close) in enumerate(stages):
            self._tasks.append(asyncio.create_task(self._stage(position, body, close)))
        if self._stopping:
            self.stop()
        try:
            await asyncio.wait(self._tasks)
        finally:
            await _cancel(self._tasks)
        if self._error is not None:
            raise self._error
        if self._stopping:
            return
        await self._ledger.clean_up()
        if self._ledger.is_complete:
            await self._repetition.finish(
                documents=self._ledger.documents, writes=self._records.writes
            )

    def stop(self) -> None:
        """Take nothing more from the source or to the endpoint, but finish what is in flight."""
        self._stopping = True
        if self._tasks:
            self._texts.clear()
            self._tasks[0].cancel()

    async def _set_up(self) -> None:
        self._texts: Channel[Sequence[Text]] = Channel(_TEXTS_WAITING, weigh=len)
        self._ready: Channel[Sequence[Item]] = Channel(_DOCUMENTS_WAITING, weigh=len)
        self._stored: Channel[Sequence[Item]] = Channel(_DOCUMENTS_WAITING, weigh=len)
        self._ledger = Ledger(
            self._records,
            self._sink,
            started_at=await self._records.time(),
            cleanup=self._options.cleanup,
            cleanup_batch_size=self._options.cleanup_batch_size,
            bar=self._bar,
            busy=self._busy,
        )
        self._intake = Intake(
            self._chunks,
            planner=self._planner,
            records=self._records,
            sink=self._sink,
            ledger=self._ledger,
            texts=self._texts,
            ready=self._ready,
            hurry=self._hurry,
            force_update=self._options.force_update,
            skip_errors=self._options.on_error == "skip",
            busy=self._busy,
        )

    async def _stage(
        self, position: int, body: Callable[[], Awaitable[None]], close: Callable[[], None]
    ) -> None:
        try:
            await body()
        except asyncio.CancelledError:
            # Stopped by Ctrl-C or by a later stage's failure: what follows drains. Cancelled from
            # outside: _cancel() ends what follows too.
            pass
        except BaseException as error:  # noqa: BLE001 (raised again when all stages have ended)
            self._error = self._error or error
            for earlier in self._tasks[:position]:
                earlier.cancel()
        finally:
            close()

    async def _embed(self) -> None:
        while (first := await self._texts.get()) is not None:
            embeddings = self._sink.embeddings
            if embeddings is None:
                raise ConfigurationError("The vector store has no embeddings to make vectors with.")
            sent: dict[int, Text] = {}
            batches = embed_stream(
                embeddings,
                self._in_a_row(first, sent, patience=patience_with_texts(embeddings)),
                native_async=self._options.native_async,
                on_error=self._options.on_error,
            )
            with self._busy.stage("embedding"):
                async with aclosing(batches):
                    async for batch in batches:
                        ready: list[Item] = []
                        for index, row in zip(batch.indices, batch.vectors, strict=True):
                            ready += self._intake.embedded(sent.pop(index), row)
                        self._ledger.embedded += len(batch.indices)
                        for failure in batch.failures:
                            waiting = self._intake.embedded(sent.pop(failure.index), None)
                            await self._ledger.fail(waiting, failure.error)
                        if ready:
                            await self._ready.put(ready)

    async def _in_a_row(
        self, first: Sequence[Text], sent: dict[int, Text], *, patience: float | None
    ) -> AsyncIterator[str]:
        """Give texts until none comes for a while, noting which was sent as which."""
        texts: Sequence[Text] | None = first
        index = 0
        while texts:
            for text in texts:
                sent[index] = text
                index += 1
                yield text.text
            texts = await self._texts.get(patience=patience)

    async def _write(self) -> None:
        slots = asyncio.Semaphore(self._sink.in_flight)
        running: set[asyncio.Task[None]] = set()
        failures: list[BaseException] = []

        def finished(task: asyncio.Task[None]) -> None:
            running.discard(task)
            slots.release()
            if not task.cancelled() and (error := task.exception()) is not None:
                failures.append(error)
                self._ready.close()  # so that nobody waits for more

        try:
            while not failures and (pending := await _gather(self._ready, until=self._sink.enough)):
                for write in self._sink.writes(pending):
                    await slots.acquire()
                    if failures:
                        break
                    task = asyncio.create_task(self._write_one(write))
                    running.add(task)
                    task.add_done_callback(finished)
            if running:
                await asyncio.wait(running)
        finally:
            await _cancel(running)
        if failures:
            raise failures[0]

    async def _write_one(self, write: Write[Item]) -> None:
        with self._busy.stage("storing"):
            refused = await self._sink.write(write)
        lost = {one.entry.key for one in refused}
        stored = [one for one in write.entries if one.key not in lost] if lost else write.entries
        if not self._sink.takes_vectors:
            self._ledger.embedded += len(stored)
        if stored:
            await self._stored.put(stored)
        for one in refused:
            if self._options.on_error == "raise":
                raise one.error
            await self._ledger.fail([one.entry], one.error)

    async def _record(self) -> None:
        while stored := await _gather(
            self._stored, until=lambda some: len(some) >= _DOCUMENTS_TO_RECORD
        ):
            await self._ledger.stored(stored)

    def _hurry(self, hurried: bool) -> None:
        """Let nobody wait for more while intake waits for what they have."""
        for channel in (self._texts, self._ready, self._stored):
            channel.hurry(hurried)


async def _gather(
    channel: Channel[Sequence[Item]], *, until: Callable[[Sequence[Item]], bool]
) -> list[Item]:
    """Take what has come, and wait a while for more until it is enough; nothing at the end."""
    gathered = list(await channel.get() or ())
    deadline = time.monotonic() + _LINGER_SECONDS
    while gathered and not until(gathered):
        more = await channel.get(patience=max(0.0, deadline - time.monotonic()))
        if more is None:
            break
        gathered += more
    return gathered


async def _cancel(tasks: Sequence[asyncio.Task[None]] | set[asyncio.Task[None]]) -> None:
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)
