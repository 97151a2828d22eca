"""`hfendpoint local endpoint`: a Text-Embeddings-Inference endpoint on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from langchain_hfendpoint.local._endpoint.settings import (
    FLAVORS,
    TASKS,
    TEI_VERSIONS,
    Flavor,
    Task,
    TEISettings,
    TEIVersion,
)
from langchain_hfendpoint.local._faults import Faults, fault_options, parse_rates
from langchain_hfendpoint.local._malloc import keep_freed_memory
from langchain_hfendpoint.local._process import API_KEY_VARIABLE, require_key_beyond_loopback, serve

if TYPE_CHECKING:
    from langchain_hfendpoint.local._endpoint.runtime import Dtype

_SWITCH_INTERVAL = 0.0001
_COUNT = click.IntRange(min=1)


@click.command(context_settings={"show_default": True})
@click.option("--model", help="Directory or Hub id of the model.  [default: all-MiniLM-L6-v2]")
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8080, help="Port; 0 takes a free one.")
@click.option(
    "--api-key", envvar=API_KEY_VARIABLE, show_envvar=True, help="Key that requests must carry."
)
@click.option(
    "--flavor",
    type=click.Choice(FLAVORS),
    default="tei",
    help="Which of Hugging Face's servers to behave like.",
)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    default="sentence-embeddings",
    help="What the endpoint was created for; decides what POST / does.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "int8"]),
    default="float32",
    help="int8 is faster and a little less exact.",
)
@click.option(
    "--tei-version",
    type=click.Choice(TEI_VERSIONS),
    default="1.9.3",
    help="Which TEI to behave like, where versions differ.",
)
@click.option("--max-client-batch-size", type=_COUNT, default=32, help="Texts in a request.")
@click.option("--max-concurrent-requests", type=_COUNT, default=512, help="Texts at a time.")
@click.option("--payload-limit", type=_COUNT, default=2_000_000, help="Bytes in a request.")
@click.option(
    "--auto-truncate/--no-auto-truncate",
    default=None,
    help="Cut long texts where the request does not say.  [default: the version's]",
)
@click.option("--default-prompt-name", help="Prompt to put before texts.")
@click.option(
    "--cold-start",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Behave as scaled to zero: up this long after the first request.",
)
@click.option("--paused", is_flag=True, help="Behave as a paused endpoint.")
@fault_options
@click.option("--supervised", is_flag=True, hidden=True)
def endpoint(
    *,
    model: str | None,
    host: str,
    port: int,
    api_key: str | None,
    flavor: Flavor,
    task: Task,
    dtype: Dtype,
    tei_version: TEIVersion,
    max_client_batch_size: int,
    max_concurrent_requests: int,
    payload_limit: int,
    auto_truncate: bool | None,
    default_prompt_name: str | None,
    cold_start: float | None,
    paused: bool,
    latency: float,
    fault: tuple[str, ...],
    fault_seed: int | None,
    supervised: bool,
) -> None:
    """Serve a sentence-embedding model on the CPU, as an Inference Endpoint does.

    Example: hfendpoint local endpoint --port 8080
    """
    from langchain_hfendpoint.local._endpoint.app import EndpointOptions, make_application

    require_key_beyond_loopback(host, api_key)
    options = EndpointOptions(
        model=model,
        flavor=flavor,
        task=task,
        dtype=dtype,
        tei=TEISettings(
            version=tei_version,
            max_client_batch_size=max_client_batch_size,
            max_concurrent_requests=max_concurrent_requests,
            payload_limit=payload_limit,
            auto_truncate=auto_truncate,
            default_prompt_name=default_prompt_name,
        ),
        cold_start=cold_start,
        paused=paused,
        faults=Faults(parse_rates(fault), latency=latency, seed=fault_seed),
    )
    # Workers hold the interpreter for moments only, and must not wait 5 ms for each of them.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    keep_freed_memory()
    app = make_application(options, api_key=api_key)
    serve(
        app,
        host=host,
        port=port,
        supervised=supervised,
        banner="Listening on {url}",
        cancel_abandoned=True,
    )
