"""The proxy before an Inference Endpoint: what it answers while no replica runs.

A request to a scaled-to-zero endpoint starts a replica and gets 503 until that is ready, or waits
for it as long as its `X-Scale-Up-Timeout` says (Hugging Face's `guides/autoscaling.md`). A paused
endpoint answers 400 and starts nothing. The body of the 503 is not documented.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

SCALE_UP_HEADER = "X-Scale-Up-Timeout"


class ColdStart:
    """When a scaled-to-zero endpoint is ready; a pure state, the clock is passed in.

    Args:
        seconds: Seconds from the first request until the replica is ready.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ready_at: float | None = None

    def remaining(self, now: float) -> float:
        """Take note of a request.

        Args:
            now: The time, in seconds of any clock that does not go back.

        Returns:
            Seconds until the replica is ready; 0 when it is.
        """
        if self._ready_at is None:
            self._ready_at = now + self._seconds
        return max(0.0, self._ready_at - now)


def patience(header: str | None) -> float:
    """Read `X-Scale-Up-Timeout`.

    Args:
        header: Its value, if the request has it.

    Returns:
        Seconds the request may be held; 0 if it says nothing usable.
    """
    try:
        seconds = float(header or 0)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < float("inf") else 0.0


def cold_start_middleware(seconds: float) -> Middleware:
    """Make the aiohttp middleware of a scaled-to-zero endpoint.

    Args:
        seconds: Seconds from the first request until the replica is ready.

    Returns:
        The middleware.
    """
    start = ColdStart(seconds)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        remaining = start.remaining(monotonic())
        if remaining:
            held = min(remaining, patience(request.headers.get(SCALE_UP_HEADER)))
            await asyncio.sleep(held)
            if held < remaining:
                return web.Response(status=503, text="503 Service Unavailable")
        return await handler(request)

    return middleware


@web.middleware
async def paused_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request as the proxy of a paused endpoint does."""
    del request, handler
    return web.json_response({"error": "Bad Request: Invalid state"}, status=400)


def key_middleware(api_key: str) -> Middleware:
    """Ask for a bearer token where the server behind the proxy does not do so itself.

    Args:
        api_key: The token.

    Returns:
        The middleware.
    """
    expected = f"Bearer {api_key}"

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("authorization") != expected:
            return web.json_response({"error": "Unauthorized"}, status=401)
        return await handler(request)

    return middleware
