"""Endpoints: what is decided without asking anybody."""

from typing import Any

import pytest
from pydantic import SecretStr

from langchain_hfendpoint._endpoints.images import image_payload
from langchain_hfendpoint._endpoints.plans import accept_existing, check_plan
from langchain_hfendpoint._endpoints.records import Endpoint, Hardware, priced
from langchain_hfendpoint._endpoints.states import worth_asking
from langchain_hfendpoint._endpoints.tokens import find_token
from langchain_hfendpoint.endpoints import list_endpoints
from langchain_hfendpoint.errors import ConfigurationError, EndpointNotRunningError

URL = "https://abc.us-east-1.aws.endpoints.huggingface.cloud"
CPU = Hardware("aws", "us-east-1", "cpu", "intel-spr", "x1")


def an_endpoint(state: str, *, url: str | None = URL, **fields: Any) -> Endpoint:
    return Endpoint("e", "ada", "a/model", state, url=url, **fields)


@pytest.mark.parametrize("state", ["running", "scaledToZero"])
def test_an_endpoint_that_runs_or_sleeps_is_worth_asking(state: str) -> None:
    assert worth_asking(an_endpoint(state))


@pytest.mark.parametrize("state", ["pending", "initializing", "updating", "aStateOfTomorrow"])
def test_an_endpoint_on_its_way_is_looked_at_later(state: str) -> None:
    assert not worth_asking(an_endpoint(state))


def test_a_running_endpoint_without_url_is_looked_at_later() -> None:
    assert not worth_asking(an_endpoint("running", url=None))


@pytest.mark.parametrize("state", ["paused", "failed", "updateFailed"])
def test_waiting_for_a_stuck_endpoint_is_an_error_at_once(state: str) -> None:
    with pytest.raises(EndpointNotRunningError, match=r"'e'.*no capacity"):
        worth_asking(an_endpoint(state, message="no capacity"))


def test_a_paused_endpoint_is_to_be_resumed() -> None:
    with pytest.raises(EndpointNotRunningError, match="hfendpoint endpoint resume e"):
        worth_asking(an_endpoint("paused"))


def test_the_health_url_joins_whatever_the_slashes() -> None:
    assert an_endpoint("running", url=f"{URL}/", health_route="health").health_url == (
        f"{URL}/health"
    )


def test_an_endpoint_is_read_from_the_least_that_the_api_promises() -> None:
    raw = {
        "name": "e",
        "type": "protected",
        "healthRoute": None,
        "model": {"repository": "a/model", "framework": "custom", "revision": None, "task": None},
        "status": {"state": "pending", "createdAt": "now", "updatedAt": "now"},
    }
    endpoint = Endpoint.from_raw(raw, namespace="ada")
    assert (endpoint.url, endpoint.health_route, endpoint.image) == (None, "/health", None)


@pytest.mark.parametrize(
    ("accelerator", "instance_type", "tag"),
    [
        ("cpu", "intel-spr", "cpu-1.9"),
        ("gpu", "nvidia-t4", "turing-1.9"),
        ("gpu", "nvidia-a10g", "86-1.9"),
        ("gpu", "nvidia-a100", "1.9"),
        ("gpu", "nvidia-l4", "89-1.9"),
        ("gpu", "nvidia-l40s", "89-1.9"),
        ("gpu", "nvidia-h100", "hopper-1.9"),
        ("gpu", "nvidia-of-tomorrow", "cuda-1.9"),
    ],
)
def test_the_tei_image_fits_the_machine(accelerator: str, instance_type: str, tag: str) -> None:
    payload = image_payload("tei", accelerator=accelerator, instance_type=instance_type)
    assert payload is not None
    assert payload["tei"]["url"].endswith(f"text-embeddings-inference:{tag}")
    assert payload["tei"]["healthRoute"] == "/health"


def test_an_image_of_ones_own_is_run_as_tei() -> None:
    payload = image_payload("registry.test/tei:1", accelerator="gpu", instance_type="nvidia-l4")
    assert payload == {"tei": {"url": "registry.test/tei:1", "healthRoute": "/health"}}


def test_the_default_image_is_left_to_hugging_face() -> None:
    assert image_payload("default", accelerator="neuron", instance_type="inf2") is None


@pytest.mark.parametrize(("image", "accelerator"), [("tei", "neuron"), ("tie", "cpu")])
def test_an_image_that_cannot_run_is_refused(image: str, accelerator: str) -> None:
    with pytest.raises(ConfigurationError):
        image_payload(image, accelerator=accelerator, instance_type="inf2")


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a" * 33])
def test_a_name_that_hugging_face_refuses_is_refused_here(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no name"):
        check_plan(name, 0, 1, None)


@pytest.mark.parametrize("name", ["a", "my-embed", "a" * 32])
def test_a_good_name_passes(name: str) -> None:
    check_plan(name, 0, 1, 15)


@pytest.mark.parametrize(("fewest", "most"), [(2, 1), (-1, 1), (0, 0)])
def test_replicas_that_cannot_work_are_refused(fewest: int, most: int) -> None:
    with pytest.raises(ConfigurationError, match="replica"):
        check_plan("e", fewest, most, None)


@pytest.mark.parametrize(("fewest", "minutes"), [(1, 15), (0, 0)])
def test_scaling_to_zero_needs_zero_replicas_and_a_minute(fewest: int, minutes: int) -> None:
    with pytest.raises(ConfigurationError, match="scale_to_zero_timeout"):
        check_plan("e", fewest, 1, minutes)


def test_an_endpoint_that_exists_is_an_error_unless_it_is_ok() -> None:
    with pytest.raises(ConfigurationError, match="already"):
        accept_existing(an_endpoint("paused"), model="a/model", revision=None, exist_ok=False)


def test_an_endpoint_with_another_model_is_never_taken() -> None:
    with pytest.raises(ConfigurationError, match="serves a/model, not b/model"):
        accept_existing(an_endpoint("running"), model="b/model", revision=None, exist_ok=True)


def test_an_endpoint_with_another_revision_is_never_taken() -> None:
    there = an_endpoint("running", revision="111")
    with pytest.raises(ConfigurationError, match="a/model at 111, not a/model at 222"):
        accept_existing(there, model="a/model", revision="222", exist_ok=True)
    assert accept_existing(there, model="a/model", revision=None, exist_ok=True) is there


def test_a_machine_is_given_its_price() -> None:
    offer = Hardware("aws", "us-east-1", "cpu", "intel-spr", "x1", hourly_price=0.033)
    assert priced(CPU, [offer]) == offer


def test_without_a_price_list_the_price_is_not_known() -> None:
    assert priced(CPU, []).hourly_price is None


def test_a_machine_that_does_not_exist_is_refused_with_those_that_do() -> None:
    offers = [
        Hardware("aws", "us-east-1", "cpu", "intel-spr", "x2"),
        Hardware("aws", "us-east-1", "gpu", "nvidia-l4", "x1"),
        Hardware("gcp", "us-east4", "cpu", "intel-spr", "x1"),
    ]
    with pytest.raises(ConfigurationError, match=r"There is: cpu intel-spr x2\.$"):
        priced(CPU, offers)


def test_a_region_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigurationError, match=r"There is in: gcp us-east4\.$"):
        priced(CPU, [Hardware("gcp", "us-east4", "cpu", "intel-spr", "x1")])


@pytest.fixture
def _no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", f"{tmp_path}/token")


@pytest.mark.usefixtures("_no_login")
def test_without_a_token_the_error_says_where_it_is_looked_for() -> None:
    with pytest.raises(ConfigurationError, match="HF_TOKEN"):
        list_endpoints()


@pytest.mark.usefixtures("_no_login")
def test_langchains_name_for_the_token_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGFACEHUB_API_TOKEN", "hf_second")
    assert find_token() == SecretStr("hf_second")
    monkeypatch.setenv("HF_TOKEN", "hf_first")
    assert find_token() == SecretStr("hf_first")
    assert find_token("hf_given") == SecretStr("hf_given")
