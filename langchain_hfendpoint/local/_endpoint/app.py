"""Put the server together: load the model, choose the protocol, put the faults before it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_hfendpoint.local._endpoint.engine import Engine
from langchain_hfendpoint.local._endpoint.locating import check_weights, locate
from langchain_hfendpoint.local._endpoint.model import describe
from langchain_hfendpoint.local._endpoint.runtime import CTranslate2Runtime, Dtype
from langchain_hfendpoint.local._endpoint.settings import Flavor, TEISettings
from langchain_hfendpoint.local._endpoint.tei import TEI
from langchain_hfendpoint.local._endpoint.tokenizing import TextTokenizer
from langchain_hfendpoint.local._faults import Faults

if TYPE_CHECKING:
    from aiohttp import web

_BATCH_TEXTS = 64
_BATCH_TOKENS = 2_048


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What `hfendpoint local endpoint` was told.

    Attributes:
        model: Directory or Hub id of the model; by default all-MiniLM-L6-v2.
        flavor: Which server to behave like.
        dtype: Precision of the model.
        tei: TEI's own configuration.
        faults: How unreliable to be.
    """

    model: str | None = None
    flavor: Flavor = "tei"
    dtype: Dtype = "float32"
    tei: TEISettings = field(default_factory=TEISettings)
    faults: Faults = field(default_factory=Faults)


def load_engine(options: EndpointOptions, *, workers: int) -> Engine:
    """Find, check and load the model.

    Args:
        options: What the server was told.
        workers: Batches computed at the same time.

    Returns:
        A running engine.

    Raises:
        LocalServerError: If the model is not found, not what it should be, or cannot be run.
    """
    source = locate(options.model)
    with ThreadPoolExecutor(1) as pool:
        # Reading the weights twice at the same time costs half of reading them one after another.
        checked = pool.submit(check_weights, source)
        model = describe(source)
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
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    engine = load_engine(options, workers=workers or 1)
    server = TEI(engine, options.tei, api_key=api_key, dtype=options.dtype, workers=workers or 1)
    return server.application()
