"""One HTTP exchange: bytes out, bytes back, every way to fail made a `Failure`."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from langchain_hfendpoint._engine.failures import Failure, Kind

_CONNECT_SECONDS = 15.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3

BASE_HEADERS: Mapping[str, str] = {
    # The inference toolkit refuses lists of types, and parameters behind a type.
    "Accept": "application/json",
    "Content-Type": "application/json",
    # Numbers barely compress, and decompressing costs more than it saves.
    "Accept-Encoding": "identity",
    "User-Agent": f"langchain-hfendpoint/{version('langchain-hfendpoint')}",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status.

    Attributes:
        status: HTTP status.
        headers: The headers; names in any case.
        body: The whole body.
        seconds: From sending to the last byte.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def request_id(self) -> str | None:
        """What the answer is called in the server's or the proxy's logs."""
        return self.headers.get("x-request-id") or self.headers.get("x-amzn-trace-id")


class TransportError(Exception):
    """No usable answer; carries the `Failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Transport:
    """The connections to one endpoint, kept open between requests; lives on the engine's loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,
    ) -> Reply:
        """Send a request and read the whole answer.

        Args:
            method: HTTP method.
            url: Where to.
            headers: All headers.
            body: The body, if any.
            timeout: Seconds until the last byte of the answer must be there.

        Returns:
            The answer, whatever its status; redirects within the same origin are followed.

        Raises:
            TransportError: If there is no complete answer, or it points to another origin.
        """
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT_SECONDS)
        target, proxy = URL(url), _proxy_for(url)
        began = time.perf_counter()
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                async with self._open_session().request(
                    method,
                    target,
                    data=body,
                    headers=headers,
                    timeout=limits,
                    allow_redirects=False,
                    proxy=proxy.url,
                    proxy_auth=proxy.auth,
                ) as answer:
                    content = await answer.read()
                if answer.status not in _REDIRECTS:
                    seconds = time.perf_counter() - began
                    return Reply(answer.status, answer.headers, content, seconds)
                target = _follow(target, answer.headers.get("Location"), answer.status)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            raise TransportError(_read_exception(error)) from error
        raise TransportError(Failure(Kind.FATAL, "it redirects in a circle"))

    async def close(self) -> None:
        """Close the connections; the next exchange opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                # How much is in flight is the limiter's business.
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


@dataclass(frozen=True, slots=True)
class _Proxy:
    url: URL | None
    auth: aiohttp.BasicAuth | None


@lru_cache(maxsize=64)
def _proxy_for(url: str) -> _Proxy:
    """Find the proxy that the environment sets for a URL.

    aiohttp's own `trust_env` asks an executor twice for every request, which costs more than the
    rest of the request, and reads passwords for the endpoint's host from ~/.netrc.
    """
    target = URL(url)
    proxy = getproxies().get(target.scheme)
    if proxy is None or proxy_bypass(target.host or ""):
        return _Proxy(None, None)
    found = URL(proxy if "://" in proxy else f"http://{proxy}")
    auth = aiohttp.BasicAuth(found.user, found.password or "") if found.user else None
    return _Proxy(found.with_user(None), auth)


def _follow(source: URL, location: str | None, status: int) -> URL:
    if not location:
        raise TransportError(Failure(Kind.FATAL, "it redirects to nowhere", status))
    target = source.join(URL(location))
    if target.origin() != source.origin():
        raise TransportError(
            Failure(
                Kind.FATAL,
                f"it redirects to another origin, {target.origin()}, where no token is sent: if "
                "you trust it, give that URL",
                status,
            )
        )
    return target


def _read_exception(error: Exception) -> Failure:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Failure(Kind.UNREACHABLE, "no connection within the time for connecting")
    if isinstance(error, asyncio.TimeoutError):
        return Failure(Kind.TIMEOUT, "no complete answer in time")
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLError)):
        return Failure(Kind.FATAL, f"its TLS certificate is not valid here: {error}")
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError)):
        return Failure(Kind.UNREACHABLE, str(error))
    if isinstance(error, (aiohttp.InvalidURL, ValueError)):
        # Its text could be a header's, and so hold a token.
        return Failure(Kind.FATAL, f"the request cannot be sent ({type(error).__name__})")
    return Failure(Kind.DISCONNECTED, str(error) or type(error).__name__)
