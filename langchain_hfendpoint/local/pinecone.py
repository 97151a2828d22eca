"""A persistent Pinecone-compatible server on this machine, for tests and for local work.

Pinecone Local reached its end of life on 2026-10-07, and what Pinecone offers instead stores
nothing. This server keeps its data in a directory (SQLite, an fsync for every acknowledged write),
searches exactly, and speaks the protocol that the Python clients 7 to 10 and `PineconeVectorStore`
speak.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import Self

from langchain_hfendpoint.local._process import SupervisedServer


class LocalPinecone(SupervisedServer):
    """Run a local Pinecone in a process of its own; a sync and async context manager.

    Args:
        path: Folder to keep the data in, made if it is missing. `None` takes a temporary one, which
            is removed at the end.
        port: Port to listen on; 0 takes a free one.
        api_key: Key that clients must send. `None` makes one up: pinecone 7 remembers hosts by key
            and index name, so two servers should not share a key.
        read_only: Whether to change nothing. The folder may then be in use by another server: what
            is read is the moment at which this one started.
        consistency_delay: Seconds until a write can be read, as in the cloud.
        faults: Share of the data plane's requests that fail, by status: `{429: 0.05}`.
        latency: Seconds that every request of the data plane takes longer.
        start_timeout: Seconds until the server must be ready.

    Raises:
        LocalServerError: From `start()`, if the server cannot start or use its data.

    Example:
        ```python
        from pinecone import Pinecone

        from langchain_hfendpoint.local import LocalPinecone

        with LocalPinecone() as local:
            client = Pinecone(api_key=local.api_key, host=local.host)
            print(client.list_indexes().names())
        ```
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        port: int = 0,
        api_key: str | None = None,
        read_only: bool = False,
        consistency_delay: float = 0.0,
        faults: Mapping[int, float] | None = None,
        latency: float = 0.0,
        start_timeout: float = 120.0,
    ) -> None:
        self._path = None if path is None else Path(path)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._options = ["--port", str(port), "--latency", str(latency)]
        self._options += ["--consistency-delay", str(consistency_delay)]
        for status, share in (faults or {}).items():
            self._options += ["--fault", f"{status}={share}"]
        if read_only:
            self._options.append("--read-only")
        self._key = api_key or f"local-{secrets.token_hex(16)}"
        super().__init__([], api_key=self._key, start_timeout=start_timeout)

    @property
    def host(self) -> str:
        """Where the server listens, as `http://127.0.0.1:PORT`; for `PINECONE_CONTROLLER_HOST`.

        Raises:
            LocalServerError: If the server is not running.
        """
        return self.url

    @property
    def api_key(self) -> str:
        """The key that clients must send."""
        return self._key

    def start(self) -> Self:
        """Start the server and wait until it listens.

        Returns:
            Itself.

        Raises:
            LocalServerError: If it cannot start, or cannot use its data.
        """
        if self.pid is None:
            self._prepare()
        try:
            return super().start()
        except BaseException:
            if self.pid is None:
                self._discard()
            raise

    def stop(self) -> None:
        """Stop the server, letting it finish what is in flight; harmless if it is not running."""
        super().stop()
        self._discard()

    def _prepare(self) -> None:
        folder = self._path
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="local-pinecone-")
            folder = Path(self._temporary.name)
        self._arguments = ["pinecone", "--dir", str(folder), *self._options]

    def _discard(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


def dump(path: str | Path, file: str | Path) -> int:
    """Write all indexes of a folder to one Parquet file, also while a server is using it.

    Args:
        path: The folder.
        file: The file; overwritten if it exists.

    Returns:
        How many records were written.

    Raises:
        LocalServerError: If the folder cannot be read.
        MissingExtraError: If pyarrow is not installed.
    """
    from langchain_hfendpoint.local._pinecone import dump as inside

    return inside.dump(Path(path), Path(file))


def restore(file: str | Path, path: str | Path) -> int:
    """Fill a folder from a file that `dump` wrote.

    Args:
        file: The file.
        path: The folder, which must not hold any index; made if it is missing.

    Returns:
        How many records were stored.

    Raises:
        LocalServerError: If the file is no dump, or the folder is in use or not empty.
        MissingExtraError: If pyarrow is not installed.
    """
    from langchain_hfendpoint.local._pinecone import dump as inside

    return inside.restore(Path(file), Path(path))
