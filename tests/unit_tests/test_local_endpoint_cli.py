import pytest
from click.testing import CliRunner

from langchain_hfendpoint._cli.local_endpoint import endpoint
from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local import LocalEndpoint

EVERYTHING = {
    "port": 1234,
    "flavor": "toolkit",
    "task": "feature-extraction",
    "dtype": "int8",
    "tei_version": "1.8.3",
    "max_client_batch_size": 8,
    "max_concurrent_requests": 64,
    "payload_limit": 1000,
    "auto_truncate": False,
    "default_prompt_name": "query",
    "cold_start": 1.5,
    "paused": True,
    "latency": 0.25,
    "fault_seed": 3,
}


def test_the_command_understands_every_option_of_the_class():
    server = LocalEndpoint("some/model", faults={429: 0.05, 503: 0.1}, **EVERYTHING)
    name, *arguments = server._arguments
    assert name == "endpoint"
    given = endpoint.make_context(name, arguments).params
    assert given.items() >= EVERYTHING.items()
    assert given["model"] == "some/model"
    assert given["fault"] == ("429=0.05", "503=0.1")


def test_the_class_and_the_command_have_the_same_defaults():
    name, *arguments = LocalEndpoint(port=8080)._arguments
    assert endpoint.make_context(name, arguments).params == endpoint.make_context(name, []).params


def test_the_key_is_no_argument():
    assert not any("secret" in argument for argument in LocalEndpoint(api_key="secret")._arguments)


def test_other_machines_are_let_in_only_with_a_key(monkeypatch):
    monkeypatch.delenv("HFENDPOINT_LOCAL_API_KEY", raising=False)
    result = CliRunner().invoke(endpoint, ["--host", "0.0.0.0"])
    assert isinstance(result.exception, LocalServerError)
    assert "pass --api-key" in str(result.exception)


@pytest.mark.parametrize("option", ["--flavor=vllm", "--dtype=float16", "--cold-start=-1"])
def test_what_the_command_does_not_know_is_wrong_usage(option):
    assert CliRunner().invoke(endpoint, [option]).exit_code == 2
