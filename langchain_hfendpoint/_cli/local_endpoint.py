"""`hfendpoint local endpoint`: a Text-Embeddings-Inference endpoint on this machine."""

from __future__ import annotations

import sys

import click

from langchain_hfendpoint.local._faults import Faults, fault_options, parse_rates
from langchain_hfendpoint.local._process import API_KEY_VARIABLE, require_key_beyond_loopback, serve

_SWITCH_INTERVAL = 0.0005


@click.command()
@click.option("--model", help="Directory or Hub id of the model (default: all-MiniLM-L6-v2).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port; 0 takes a free one.")
@click.option(
    "--api-key", envvar=API_KEY_VARIABLE, show_envvar=True, help="Key that requests must carry."
)
@click.option(
    "--flavor",
    type=click.Choice(["tei", "toolkit", "hf-serve"]),
    default="tei",
    show_default=True,
    help="Which of Hugging Face's servers to behave like.",
)
@click.option(
    "--dtype", type=click.Choice(["float32", "int8"]), default="float32", show_default=True
)
@fault_options
@click.option("--supervised", is_flag=True, hidden=True)
def endpoint(
    *,
    model: str | None,
    host: str,
    port: int,
    api_key: str | None,
    flavor: str,
    dtype: str,
    latency: float,
    fault: tuple[str, ...],
    fault_seed: int | None,
    supervised: bool,
) -> None:
    """Serve a sentence-embedding model on the CPU, as an Inference Endpoint does."""
    from langchain_hfendpoint.local._endpoint.app import EndpointOptions, make_application

    require_key_beyond_loopback(host, api_key)
    options = EndpointOptions(
        model=model,
        flavor=flavor,  # type: ignore[arg-type]
        dtype=dtype,  # type: ignore[arg-type]
        faults=Faults(parse_rates(fault), latency=latency, seed=fault_seed),
    )
    # Workers hold the interpreter for moments only, and must not wait 5 ms for each of them.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    app = make_application(options, api_key=api_key)
    serve(app, host=host, port=port, supervised=supervised, banner="Listening on {url}")
