"""The queue between requests and the model.

Worker threads, one a core, take what waits: first texts to tokenize, then a batch to compute. The
event loop only ever appends to a list and gets a callback when a request is complete, so that it
answers health checks at once however busy the model is.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from langchain_hfendpoint.local._endpoint.batching import WaitingTexts, even_share
from langchain_hfendpoint.local._endpoint.metrics import Histogram
from langchain_hfendpoint.local._endpoint.refusals import (
    RefusalError,
    backend_failed,
    empty,
    too_many_tokens,
)
from langchain_hfendpoint.local._endpoint.runtime import Float32, Runtime, normalize, pool

if TYPE_CHECKING:
    from langchain_hfendpoint.local._endpoint.model import ModelDescription
    from langchain_hfendpoint.local._endpoint.tokenizing import TextInput, TextTokenizer

_NO_ROW: Float32 = np.empty(0, np.float32)
_TOKENIZE_AT_ONCE = 64
# Any batch costs as much as three to four texts besides its own.
_PATIENCE_SECONDS = 0.008


@dataclass(slots=True)
class Timing:
    """Where the time of a request went; seconds, summed over its texts."""

    tokenization: float = 0.0
    queue: float = 0.0
    inference: float = 0.0


@dataclass(slots=True)
class Embedded:
    """What became of a request's texts, in their order.

    Attributes:
        rows: One float32 (dimension) a text, or float32 (tokens, dimension) where every token's
            vector was asked for; not normalized.
        unit_rows: The same normalized, but for tokens; empty where those were asked for.
        tokens: Tokens of all texts, after cutting.
        timing: Where the time went.
    """

    rows: list[Float32]
    unit_rows: list[Float32]
    tokens: int = 0
    timing: Timing = field(default_factory=Timing)


class _Job:
    """A request on its way: its texts, and what is there already."""

    __slots__ = ("answer", "arrived", "every_token", "future", "inputs", "missing")

    def __init__(
        self, inputs: Sequence[TextInput], future: asyncio.Future[Embedded], *, every_token: bool
    ) -> None:
        self.inputs = inputs
        self.future = future
        self.every_token = every_token
        self.missing = len(inputs)
        self.arrived = perf_counter()
        rows = [_NO_ROW] * len(inputs)
        self.answer = Embedded(rows, unit_rows=[] if every_token else rows.copy())


@dataclass(frozen=True, slots=True)
class _Text:
    job: _Job
    position: int
    ids: list[int]
    queued: float


_Outcome = tuple["asyncio.Future[Embedded]", Embedded | RefusalError]


class Engine:
    """Embed the texts of many requests at the same time.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        runtime: What computes it.
        workers: Batches computed at the same time.
        max_batch_texts: Texts in a batch at most.
        max_batch_tokens: Tokens in a batch at most.
    """

    def __init__(
        self,
        model: ModelDescription,
        tokenizer: TextTokenizer,
        runtime: Runtime,
        *,
        workers: int,
        max_batch_texts: int,
        max_batch_tokens: int,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._runtime = runtime
        self._max_texts = max_batch_texts
        self._max_tokens = max_batch_tokens
        self._arrived: deque[_Job] = deque()
        self._waiting: WaitingTexts[_Text] = WaitingTexts()
        self._something = threading.Condition()
        self._computing = 0
        self._closed = False
        self.batch_sizes = Histogram((1, 2, 4, 8, 16, 32, 64))
        self._threads = [
            threading.Thread(target=self._work, name=f"embed-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Number of texts that wait to be computed."""
        return len(self._waiting)

    async def embed(self, inputs: Sequence[TextInput], *, every_token: bool = False) -> Embedded:
        """Embed the texts of one request.

        Args:
            inputs: The texts, at least one.
            every_token: Give the vector of each token instead of one a text.

        Returns:
            Their vectors, in order.

        Raises:
            RefusalError: If a text is too long, or the model fails.
        """
        future: asyncio.Future[Embedded] = asyncio.get_running_loop().create_future()
        job = _Job(inputs, future, every_token=every_token)
        with self._something:
            self._arrived.append(job)
            self._something.notify()
        return await future

    def close(self) -> None:
        """Let the workers end after their current batch."""
        with self._something:
            self._closed = True
            self._something.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        deadline: float | None = None
        while True:
            jobs: list[_Job] = []
            batch: list[_Text] = []
            with self._something:
                while not (self._closed or self._arrived or self._waiting):
                    self._something.wait()
                if self._closed:
                    return
                if self._arrived:
                    count = 0
                    while self._arrived and count < _TOKENIZE_AT_ONCE:
                        jobs.append(self._arrived.popleft())
                        count += len(jobs[-1].inputs)
                else:
                    share = even_share(
                        len(self._waiting),
                        self._computing,
                        workers=len(self._threads),
                        max_texts=self._max_texts,
                    )
                    if 2 * len(self._waiting) < share:
                        # Others compute most of it; those just answered may be about to ask again.
                        deadline = deadline or perf_counter() + _PATIENCE_SECONDS
                        if (left := deadline - perf_counter()) > 0:
                            self._something.wait(left)
                            continue
                    deadline = None
                    batch = self._waiting.take(max_texts=share, max_tokens=self._max_tokens)
                    self._computing += len(batch)
            if jobs:
                self._tokenize(jobs)
            else:
                self._compute(batch)
                with self._something:
                    self._computing -= len(batch)

    def _tokenize(self, jobs: Sequence[_Job]) -> None:
        start = perf_counter()
        try:
            encoded = iter(self.tokenizer.encode([item for job in jobs for item in job.inputs]))
        except Exception as error:  # noqa: BLE001 (a request must get an answer whatever breaks)
            refusal = RefusalError("Tokenizer", f"tokenizer error {error}")
            _settle([(job.future, refusal) for job in jobs])
            return
        now = perf_counter()
        limit = self.tokenizer.max_input_length
        each = (now - start) / sum(len(job.inputs) for job in jobs)
        texts: list[_Text] = []
        for job in jobs:
            ids = [next(encoded) for _ in job.inputs]
            job.answer.tokens = sum(map(len, ids))
            job.answer.timing.tokenization = each * len(ids)
            too_long = next((len(one) for one in ids if len(one) > limit), None)
            if too_long is not None:
                _settle([(job.future, too_many_tokens(too_long, limit=limit))])
                continue
            if not all(ids):  # ids that the vocabulary does not have; the model must not see them
                _settle([(job.future, empty())])
                continue
            queued = job.arrived + now - start
            texts += [_Text(job, position, one, queued) for position, one in enumerate(ids)]
        with self._something:
            for text in texts:
                self._waiting.add(text, length=len(text.ids))
            self._something.notify_all()

    def _compute(self, taken: Sequence[_Text]) -> None:
        # As TEI does, leave out what nobody waits for any more.
        batch = [text for text in taken if not text.job.future.done()]
        if not batch:
            return
        start = perf_counter()
        try:
            hidden = self._runtime.forward([text.ids for text in batch])
            lengths = [len(text.ids) for text in batch]
            rows = pool(hidden, lengths, self.model.pooling)
            # At once: request by request, the event loop would spend a seventh of its time on it.
            unit_rows = normalize(rows)
        except Exception as error:  # noqa: BLE001 (a request must get an answer whatever breaks)
            refusal = backend_failed(str(error))
            _settle([(text.job.future, refusal) for text in batch])
            return
        took = perf_counter() - start
        for number, text in enumerate(batch):
            answer = text.job.answer
            if text.job.every_token:
                answer.rows[text.position] = hidden[number, : len(text.ids)].copy()
            else:
                answer.rows[text.position] = rows[number]
                answer.unit_rows[text.position] = unit_rows[number]
        outcomes: list[_Outcome] = []
        with self._something:
            self.batch_sizes.observe(len(batch))
            for text in batch:
                job = text.job
                job.missing -= 1
                job.answer.timing.queue += start - text.queued
                job.answer.timing.inference += took
                if not job.missing:
                    outcomes.append((job.future, job.answer))
        _settle(outcomes)


def _settle(outcomes: Sequence[_Outcome]) -> None:
    """Hand results to the event loop, with one wake-up for all of them."""
    if outcomes:
        outcomes[0][0].get_loop().call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    for future, outcome in outcomes:
        if future.done():  # the request was given up, or another of its texts failed
            continue
        if isinstance(outcome, RefusalError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
