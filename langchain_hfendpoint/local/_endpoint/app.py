"""Put the server together: load the model, choose the protocol, put proxy and faults before it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local._endpoint.engine import Engine
from langchain_hfendpoint.local._endpoint.locating import check_weights, locate
from langchain_hfendpoint.local._endpoint.model import describe
from langchain_hfendpoint.local._endpoint.proxy import (
    cold_start_middleware,
    key_middleware,
    paused_middleware,
)
from langchain_hfendpoint.local._endpoint.runtime import CTranslate2Runtime, Dtype
from langchain_hfendpoint.local._endpoint.settings import Flavor, Task, TEISettings
from langchain_hfendpoint.local._endpoint.tei import TEI
from langchain_hfendpoint.local._endpoint.tokenizing import TextTokenizer
from langchain_hfendpoint.local._endpoint.toolkit import Toolkit
from langchain_hfendpoint.local._faults import Faults, fault_middleware

if TYPE_CHECKING:
    from langchain_hfendpoint.local._endpoint.hf_serve import HFServe

_BATCH_TEXTS = 48
_BATCH_TOKENS = 2_048
_SPARED_PATHS = frozenset({"/health", "/ping", "/metrics"})


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What `hfendpoint local endpoint` was told.

    Attributes:
        model: Directory or Hub id of the model; by default all-MiniLM-L6-v2.
        flavor: Which server to behave like.
        task: What the endpoint was created for.
        dtype: Precision of the model.
        tei: TEI's own configuration.
        cold_start: Seconds from the first request until the endpoint is up; `None` is always up.
        paused: Behave like a paused endpoint.
        faults: How unreliable to be.
    """

    model: str | None = None
    flavor: Flavor = "tei"
    task: Task = "sentence-embeddings"
    dtype: Dtype = "float32"
    tei: TEISettings = field(default_factory=TEISettings)
    cold_start: float | None = None
    paused: bool = False
    faults: Faults = field(default_factory=Faults)


def make_application(options: EndpointOptions, *, api_key: str | None = None) -> web.Application:
    """Load the model and make the web application of the server.

    Args:
        options: What the server was told.
        api_key: Key that requests must carry, if any.

    Returns:
        The application.

    Raises:
        LocalServerError: If the model cannot be served.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = cores or 1
    engine = _load(options, workers=workers)
    server = _server(engine, options, api_key=api_key, workers=workers)
    app = server.application()
    before = []
    if api_key is not None and options.flavor != "tei":
        before.append(key_middleware(api_key))
    if options.paused:
        before.append(paused_middleware)
    if options.cold_start is not None:
        before.append(cold_start_middleware(options.cold_start))
    if options.faults:
        before.append(fault_middleware(options.faults, answer=server.fault, spared=_SPARED_PATHS))
    app.middlewares[:0] = before

    async def close(_: web.Application) -> None:
        engine.close()

    app.on_cleanup.append(close)
    return app


def _load(options: EndpointOptions, *, workers: int) -> Engine:
    source = locate(options.model)
    with ThreadPoolExecutor(1) as pool:
        # Hashing leaves the interpreter free, so it costs no time beside the loading.
        checked = pool.submit(check_weights, source)
        model = describe(source)
        prompt = options.tei.default_prompt_name
        if prompt is not None and prompt not in model.prompts:
            known = ", ".join(model.prompts) or "none"
            raise LocalServerError(f"The model has no prompt {prompt!r}; it has: {known}.")
        tokenizer = TextTokenizer(source.directory, max_input_length=model.max_input_length)
        runtime = CTranslate2Runtime(model, dtype=options.dtype, workers=workers)
        checked.result()
    return Engine(
        model,
        tokenizer,
        runtime,
        workers=workers,
        max_batch_texts=_BATCH_TEXTS,
        max_batch_tokens=min(_BATCH_TOKENS, options.tei.max_batch_tokens),
    )


def _server(
    engine: Engine, options: EndpointOptions, *, api_key: str | None, workers: int
) -> TEI | Toolkit | HFServe:
    if options.flavor == "toolkit":
        return Toolkit(engine, task=options.task)
    if options.flavor == "hf-serve":
        from langchain_hfendpoint.local._endpoint.hf_serve import HFServe  # pydantic loads slowly

        return HFServe(engine)
    return TEI(
        engine,
        options.tei,
        task=options.task,
        api_key=api_key,
        dtype=options.dtype,
        workers=workers,
    )
