"""What TEI's answers carry besides vectors: JSON bodies, measured headers, `/info`."""

from __future__ import annotations

from time import perf_counter

import orjson
from aiohttp import web

from langchain_hfendpoint.local._endpoint.engine import Embedded
from langchain_hfendpoint.local._endpoint.model import ModelDescription
from langchain_hfendpoint.local._endpoint.runtime import Dtype
from langchain_hfendpoint.local._endpoint.serde import Inputs
from langchain_hfendpoint.local._endpoint.settings import TEISettings


def json_answer(
    content: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Answer with JSON; float32 arrays are written with as few digits as tell them apart."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def measured(start: float, inputs: Inputs, embedded: Embedded) -> dict[str, str]:
    """Give TEI's headers: times in milliseconds, all but the total as a mean over the texts."""
    total = f"{(perf_counter() - start) * 1000:.0f}"
    each = 1000 / len(inputs.texts)
    timing = embedded.timing
    return {
        "x-compute-type": "gpu+optimized",  # TEI says so on a CPU as well
        "x-compute-time": total,
        "x-compute-characters": str(sum(map(len, inputs.texts))),
        "x-compute-tokens": str(embedded.tokens),
        "x-total-time": total,
        "x-tokenization-time": f"{timing.tokenization * each:.0f}",
        "x-queue-time": f"{timing.queue * each:.0f}",
        "x-inference-time": f"{timing.inference * each:.0f}",
    }


def info(
    model: ModelDescription, settings: TEISettings, *, dtype: Dtype, workers: int
) -> dict[str, object]:
    """Give what `/info` answers.

    Args:
        model: The model.
        settings: How TEI is configured.
        dtype: Precision of the model.
        workers: Threads that tokenize.

    Returns:
        The answer.
    """
    answer: dict[str, object] = {
        "model_id": model.source.model_id,
        "model_sha": model.source.revision,
        "model_dtype": dtype,
        "served_model_name": model.source.model_id,
        "model_type": {"embedding": {"pooling": model.pooling}},
        "max_concurrent_requests": settings.max_concurrent_requests,
        "max_input_length": model.max_input_length,
        "max_batch_tokens": settings.max_batch_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": settings.max_client_batch_size,
        "auto_truncate": settings.cuts_by_default,
        "tokenization_workers": workers,
        "version": settings.version,
        "sha": None,
        "docker_label": None,
    }
    if not settings.since_1_9:
        del answer["served_model_name"]
    return answer
