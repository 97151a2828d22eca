"""`hfendpoint doctor`, against servers that are well and servers that are not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pinecone import Pinecone
from pydantic import SecretStr

from langchain_hfendpoint._doctor.endpoint import gather_endpoint, gather_managed
from langchain_hfendpoint._doctor.network import gather_network
from langchain_hfendpoint._doctor.token import gather_token
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.local.endpoint import LocalEndpoint
from langchain_hfendpoint.local.pinecone import LocalPinecone
from tests.support.commands import Commands, Ran
from tests.support.endpoints_api_server import TOKEN, EndpointsAPI, stand_in_for_hugging_face


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    with LocalEndpoint() as server:
        yield server.url


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPinecone]:
    with LocalPinecone() as running:
        yield running


@pytest.fixture
def pinecone(server: LocalPinecone, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPinecone]:
    """An empty Pinecone."""
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", server.host)
    monkeypatch.setenv("PINECONE_API_KEY", server.api_key)
    yield server
    client = Pinecone(api_key=server.api_key, host=server.host)
    for name in client.list_indexes().names():
        client.delete_index(name)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointsAPI]:
    with stand_in_for_hugging_face(monkeypatch) as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HF_ENDPOINT_URL", "PINECONE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", f"{tmp_path}/token")
    monkeypatch.setenv("HFENDPOINT_HOME", str(tmp_path))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capsys)


def found(ran: Ran) -> dict[str, tuple[str, str]]:
    return {each["check"]: (each["level"], each["found"]) for each in ran.json["verdicts"]}


def test_a_chain_that_is_well_is_told_so_part_by_part(
    endpoint_url: str, pinecone: LocalPinecone, run: Commands
) -> None:
    run("indexes", "create", "demo", "--endpoint-url", endpoint_url)
    arguments = ("doctor", "--endpoint-url", endpoint_url, "--index", "demo", "--round-trip")
    ran = run(*arguments, "--json")
    assert ran.code == 0
    assert ran.json["healthy"]
    verdicts = found(ran)
    assert {level for level, _ in verdicts.values()} == {"ok"}
    assert "384 dimensions, normalized" in verdicts["Embedding"][1]
    assert "32 texts a request, 512 texts in flight" in verdicts["Limits"][1]
    assert "all-MiniLM-L6-v2" in verdicts["Provenance"][1]
    assert {"Python", "Packages", "Token", "Connection", "Clock", "Proxy", "Round trip"} <= set(
        verdicts
    )
    told = run(*arguments)
    assert told.out.splitlines()[0].startswith("ok       Python")
    assert told.out.splitlines()[-1].endswith("0 to look at, 0 problems.")


def test_the_round_trip_leaves_nothing_behind(
    endpoint_url: str, pinecone: LocalPinecone, run: Commands
) -> None:
    run("indexes", "create", "demo", "--endpoint-url", endpoint_url)
    run("doctor", "--endpoint-url", endpoint_url, "--index", "demo", "--round-trip")
    client = Pinecone(api_key=pinecone.api_key, host=pinecone.host)
    stats = client.Index(host=client.describe_index("demo").host).describe_index_stats()
    assert stats.namespaces == {}


def test_an_index_of_another_dimension_is_found_out_before_anything_is_paid(
    endpoint_url: str, pinecone: LocalPinecone, run: Commands
) -> None:
    client = Pinecone(api_key=pinecone.api_key, host=pinecone.host)
    client.create_index("demo", dimension=2, spec={"serverless": {"cloud": "aws", "region": "x"}})
    ran = run(
        *("doctor", "--endpoint-url", endpoint_url, "--index", "demo", "--round-trip", "--json")
    )
    assert ran.code == 1
    verdicts = found(ran)
    assert verdicts["Index"] == (
        "problem",
        "'demo': 0 vectors of 2 dimensions, metric cosine, but the endpoint gives 384 dimensions",
    )
    assert verdicts["Round trip"][0] == "skipped"


def test_a_server_that_is_not_there_is_a_problem_with_a_remedy(
    pinecone: LocalPinecone, run: Commands
) -> None:
    ran = run("doctor", "--endpoint-url", "http://127.0.0.1:9")
    assert ran.code == 1
    assert "problem  Connection" in ran.out
    assert "-> Check that the server runs" in ran.out


def test_a_url_that_is_none_is_a_problem_and_the_rest_is_examined(
    pinecone: LocalPinecone, run: Commands
) -> None:
    verdicts = found(run("doctor", "--endpoint-url", "nonsense", "--json"))
    assert verdicts["Endpoint"][0] == "problem"
    assert verdicts["Pinecone"][0] == "ok"


def test_a_wrong_pinecone_key_is_a_problem_without_the_key(
    endpoint_url: str,
    pinecone: LocalPinecone,
    run: Commands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", "wrong-key")
    ran = run("doctor", "--endpoint-url", endpoint_url, "--json")
    assert ran.code == 1
    assert found(ran)["Pinecone"][0] == "problem"
    assert "wrong-key" not in ran.out


def test_a_server_that_wants_a_key_is_a_problem(pinecone: LocalPinecone, run: Commands) -> None:
    with LocalEndpoint(api_key="sesame") as locked:
        ran = run("doctor", "--endpoint-url", locked.url, "--timeout", "5", "--json")
    assert ran.code == 1
    assert found(ran)["Embedding"][0] == "problem"


def test_the_token_is_asked_about_and_never_shown(
    api: EndpointsAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = gather_token(needed=True)
    assert (facts.sources, facts.answer, facts.user, facts.role) == (
        ("HF_TOKEN",),
        "accepted",
        "ada",
        "write",
    )
    assert TOKEN not in repr(facts)
    api.revoked = True
    assert gather_token(needed=True).answer == "refused"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert gather_token(needed=True).answer == "unreachable"
    monkeypatch.setenv("HF_TOKEN", "hf with a space")
    assert gather_token(needed=True).malformed


def test_an_endpoint_is_recognized_among_the_users_own(api: EndpointsAPI) -> None:
    api.add("one", "running")
    found = gather_managed(f"{api.url}/serving/one/")
    assert found is not None
    assert found.name == "one"
    assert gather_managed("https://of.somebody.else.test") is None
    api.revoked = True
    assert gather_managed(f"{api.url}/serving/one") is None


def test_an_endpoint_that_sleeps_is_left_asleep(api: EndpointsAPI) -> None:
    api.add("one", "scaledToZero")
    url = f"{api.url}/serving/one"
    embeddings = HFEndpointEmbeddings(endpoint_url=url, api_key=SecretStr(TOKEN))
    facts = gather_endpoint(embeddings, managed=gather_managed(url))
    assert facts.resting
    assert api.served == []


def test_an_endpoint_that_does_not_wake_in_time_is_said_to_be_asleep(api: EndpointsAPI) -> None:
    api.add("one", "initializing")
    with HFEndpointEmbeddings(
        endpoint_url=f"{api.url}/serving/one",
        api_key=SecretStr(TOKEN),
        cold_start_timeout=0.2,
        retry_deadline=0.2,
    ) as embeddings:
        assert gather_endpoint(embeddings).asleep


def test_https_to_a_server_that_speaks_http_fails_at_tls(endpoint_url: str) -> None:
    facts = gather_network(endpoint_url.replace("http:", "https:"))
    assert facts.failed_at == "tls"


def test_a_name_that_does_not_exist_fails_at_dns() -> None:
    facts = gather_network("https://no-such-host.invalid")
    assert facts.failed_at == "dns"


def test_a_proxy_on_the_way_is_named_and_not_walked_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.test:3128")
    facts = gather_network("https://e.test")
    assert (facts.proxy, facts.addresses) == ("proxy.test", ())
    assert "secret" not in repr(facts)


class _ClockOfYesterday(BaseHTTPRequestHandler):
    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() - 86_400)

    def do_GET(self) -> None:  # the name http.server calls
        self.send_error(401)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


def test_the_distance_of_the_clocks_is_read_off_any_answer() -> None:
    with HTTPServer(("127.0.0.1", 0), _ClockOfYesterday) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        facts = gather_network(f"http://127.0.0.1:{server.server_port}")
    assert facts.clock_skew is not None
    assert abs(facts.clock_skew + 86_400) < 30
