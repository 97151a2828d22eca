"""The way to the endpoint: name, connection, certificate, clocks, proxies."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from langchain_hfendpoint._doctor.verdicts import Verdict, ok, problem, skipped, warning

_SECONDS = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_CERTIFICATE_DAYS = 7
_SKEW_WARNING, _SKEW_PROBLEM = 30.0, 300.0


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What was seen on the way to a server.

    Attributes:
        scheme: `"http"` or `"https"`.
        host: Its host.
        port: Its port.
        proxy: Host of the proxy on the way, if any.
        addresses: What the name stands for; empty if it is not known.
        failed_at: Which step failed, if one did.
        error: How it failed.
        connect_seconds: Seconds until the connection was open.
        tls_version: Such as `"TLSv1.3"`; `None` without TLS.
        certificate_days: Days until the certificate ends.
        clock_skew: Seconds by which the server's clock is ahead of this one's.
    """

    scheme: str
    host: str
    port: int
    proxy: str | None = None
    addresses: tuple[str, ...] = ()
    failed_at: Literal["dns", "connect", "tls"] | None = None
    error: str | None = None
    connect_seconds: float | None = None
    tls_version: str | None = None
    certificate_days: float | None = None
    clock_skew: float | None = None

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return self.host in _LOOPBACK


def gather_network(url: str) -> NetworkFacts:
    """Go to a server step by step; sends no token, and so wakes nothing."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    facts = NetworkFacts(parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80))
    proxy = getproxies().get(parts.scheme)
    if proxy is not None and not proxy_bypass(host):
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return replace(facts, proxy=through.hostname)
    try:
        found = socket.getaddrinfo(host, facts.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return replace(facts, failed_at="dns", error=_words(error))
    facts = replace(facts, addresses=tuple(dict.fromkeys(str(each[4][0]) for each in found)))
    began = time.perf_counter()
    try:
        with socket.create_connection((host, facts.port), timeout=_SECONDS) as connection:
            facts = replace(facts, connect_seconds=time.perf_counter() - began)
            if parts.scheme != "https":
                return replace(facts, clock_skew=_ask_the_time(connection, host))
            return _through_tls(facts, connection)
    except ssl.SSLError as error:
        return replace(facts, failed_at="tls", error=_words(error))
    except OSError as error:
        return replace(facts, failed_at="connect", error=_words(error))


def _through_tls(facts: NetworkFacts, connection: socket.socket) -> NetworkFacts:
    with ssl.create_default_context().wrap_socket(connection, server_hostname=facts.host) as safe:
        ends = (safe.getpeercert() or {}).get("notAfter")
        days = (
            (ssl.cert_time_to_seconds(ends) - time.time()) / 86_400
            if isinstance(ends, str)
            else None
        )
        return replace(
            facts,
            tls_version=safe.version(),
            certificate_days=days,
            clock_skew=_ask_the_time(safe, facts.host),
        )


def _ask_the_time(connection: socket.socket, host: str) -> float | None:
    """Read the `Date` header of any answer; `None` if there is none."""
    began = time.time()
    request = f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = http.client.HTTPResponse(connection)
    try:
        connection.sendall(request.encode("ascii"))
        answer.begin()
    except (http.client.HTTPException, OSError):
        return None
    date = answer.getheader("Date")
    if date is None:
        return None
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    # The header is cut to the second, so on average the clock is half a second ahead of it.
    return theirs + 0.5 - (began + time.time()) / 2


def judge_network(facts: NetworkFacts) -> Iterator[Verdict]:
    """Judge the way to the endpoint."""
    if facts.proxy is not None:
        yield skipped("Network", f"{facts.host} is reached through the proxy {facts.proxy}")
        return
    remedies = {
        "dns": "Check the URL, and the network's DNS.",
        "connect": "Check that the server runs, and the firewall.",
        "tls": "Check the clock and the certificates of this machine (a proxy that reads along?).",
    }
    if facts.failed_at is not None:
        yield problem(
            {"dns": "DNS", "connect": "Connection", "tls": "TLS"}[facts.failed_at],
            f"{facts.host}:{facts.port}: {facts.error}",
            remedies[facts.failed_at],
        )
        return
    milliseconds = (facts.connect_seconds or 0.0) * 1000
    yield ok(
        "Connection",
        f"{facts.host} ({', '.join(facts.addresses[:2])}) in {milliseconds:.0f} ms",
    )
    yield _judge_tls(facts)
    yield _judge_clock(facts.clock_skew)


def _judge_tls(facts: NetworkFacts) -> Verdict:
    if facts.scheme != "https":
        if facts.local:
            return ok("TLS", "none, and none is needed on this machine")
        return warning("TLS", "none: texts go unencrypted", "Use an https URL.")
    days = facts.certificate_days
    if days is not None and days < _CERTIFICATE_DAYS:
        return warning("TLS", f"{facts.tls_version}; the certificate ends in {days:.0f} days")
    return ok("TLS", f"{facts.tls_version}, certificate valid")


def _judge_clock(skew: float | None) -> Verdict:
    if skew is None:
        return skipped("Clock", "the server does not tell the time")
    if abs(skew) < _SKEW_WARNING:
        return ok("Clock", "within half a minute of the server's")
    which = "behind" if skew > 0 else "ahead of"
    found = f"{abs(skew):.0f} s {which} the server's"
    remedy = "Set the clock of this machine (NTP): certificates and tokens depend on it."
    return (problem if abs(skew) > _SKEW_PROBLEM else warning)("Clock", found, remedy)


def judge_proxies(proxies: Mapping[str, str], *, pinecone_in_cloud: bool) -> Verdict:
    """Judge the proxy settings of the environment.

    Args:
        proxies: URL of the proxy for each scheme, as `urllib.request.getproxies` gives them.
        pinecone_in_cloud: Whether Pinecone's cloud is used.
    """
    used = {scheme: url for scheme, url in proxies.items() if scheme in {"http", "https", "all"}}
    if not used:
        return ok("Proxy", "none is set")
    named = ", ".join(
        f"{scheme} through {urlsplit(url if '://' in url else f'//{url}').hostname}"
        for scheme, url in sorted(used.items())
    )
    exempt = {each.strip() for each in proxies.get("no", "").split(",")}
    if "http" in used and not exempt & {"127.0.0.1", "localhost", "*"}:
        return warning(
            "Proxy",
            f"{named}; also for this machine's own servers",
            "Set NO_PROXY=127.0.0.1,localhost",
        )
    if pinecone_in_cloud:
        return warning(
            "Proxy",
            f"{named}; the pinecone client 7 does not read this",
            "Open the store yourself with Pinecone(proxy_url=...) if Pinecone cannot be reached.",
        )
    return ok("Proxy", named)


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
