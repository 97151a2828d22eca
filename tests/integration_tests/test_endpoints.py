"""Endpoints: the real huggingface_hub against a stand-in of the management API."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.endpoints import (
    Endpoint,
    Hardware,
    delete,
    deploy,
    describe,
    list_endpoints,
    pause,
    resume,
    running_endpoint,
    scale_to_zero,
    wait,
)
from langchain_hfendpoint.errors import (
    ColdStartTimeoutError,
    ConfigurationError,
    EndpointAuthenticationError,
    EndpointConnectionError,
    EndpointManagementError,
    EndpointNotFoundError,
    EndpointNotRunningError,
)
from tests.support.endpoints_api_server import (
    DIMENSION,
    MODEL,
    TOKEN,
    USER,
    EndpointsAPI,
    stand_in_for_hugging_face,
)

SOON = 0.001


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointsAPI]:
    with stand_in_for_hugging_face(monkeypatch) as stand_in:
        yield stand_in


def test_what_is_deployed_is_what_was_asked_for(api: EndpointsAPI) -> None:
    endpoint = deploy(
        "my-embed",
        MODEL,
        accelerator="gpu",
        instance_type="nvidia-l4",
        max_replica=2,
        env={"MAX_CLIENT_BATCH_SIZE": "128"},
        tags=["snli"],
        type="private",
        revision="c9745ed",
    )
    (payload,) = api.calls("POST")
    payload.pop("accountId", None)  # huggingface_hub 1.31 sends it, empty
    assert payload == {
        "name": "my-embed",
        "type": "private",
        "provider": {"vendor": "aws", "region": "us-east-1"},
        "compute": {
            "accelerator": "gpu",
            "instanceType": "nvidia-l4",
            "instanceSize": "x1",
            "scaling": {"minReplica": 0, "maxReplica": 2, "scaleToZeroTimeout": 15},
        },
        "model": {
            "framework": "pytorch",
            "repository": MODEL,
            "revision": "c9745ed",
            "task": "sentence-embeddings",
            "image": {
                "tei": {
                    "url": "ghcr.io/huggingface/text-embeddings-inference:89-1.9",
                    "healthRoute": "/health",
                }
            },
            "env": {"MAX_CLIENT_BATCH_SIZE": "128"},
        },
        "tags": ["snli"],
    }
    assert (endpoint.state, endpoint.url, endpoint.namespace) == ("pending", None, USER)
    assert (endpoint.image, endpoint.tags, endpoint.type) == ("tei", ("snli",), "private")


def test_the_price_is_told_before_anything_is_rented(api: EndpointsAPI) -> None:
    told: list[tuple[float | None, int]] = []

    def announce(hardware: Hardware) -> None:
        told.append((hardware.hourly_price, len(api.endpoints)))

    deploy("my-embed", MODEL, announce=announce)
    assert told == [(0.033, 0)]


def test_whoever_is_told_the_price_may_stop_the_deployment(api: EndpointsAPI) -> None:
    def too_expensive(hardware: Hardware) -> None:
        raise RuntimeError(f"{hardware.hourly_price} an hour?")

    with pytest.raises(RuntimeError, match=r"0\.033 an hour"):
        deploy("my-embed", MODEL, announce=too_expensive)
    assert api.endpoints == {}


def test_a_price_list_that_is_not_told_stops_nothing(api: EndpointsAPI) -> None:
    api.hardware = None
    told: list[Hardware] = []
    deploy("my-embed", MODEL, announce=told.append)
    assert told[0].hourly_price is None
    assert "my-embed" in api.endpoints


def test_hardware_that_does_not_exist_is_refused_before_anything_is_rented(
    api: EndpointsAPI,
) -> None:
    with pytest.raises(ConfigurationError, match="gpu nvidia-l4 x1"):
        deploy("my-embed", MODEL, accelerator="gpu", instance_type="nvidia-l5")
    assert api.endpoints == {}


def test_an_endpoint_that_stays_up_never_scales_to_zero(api: EndpointsAPI) -> None:
    deploy("my-embed", MODEL, min_replica=1)
    scaling = api.calls("POST")[0]["compute"]["scaling"]
    assert scaling == {"minReplica": 1, "maxReplica": 1, "scaleToZeroTimeout": None}


def test_deploying_twice_is_refused_or_ok_as_one_says(api: EndpointsAPI) -> None:
    deploy("my-embed", MODEL)
    with pytest.raises(ConfigurationError, match="already"):
        deploy("my-embed", MODEL)
    again = deploy("my-embed", MODEL, exist_ok=True)
    assert again.name == "my-embed"
    assert len(api.calls("POST")) == 1


def test_a_lost_answer_to_the_deployment_is_asked_for_again(api: EndpointsAPI) -> None:
    api.lose_answer_to = "POST"
    assert deploy("my-embed", MODEL).name == "my-embed"
    assert len(api.calls("POST")) == 1


def test_a_refused_deployment_tells_hugging_faces_words(api: EndpointsAPI) -> None:
    api.failures = [0, 0, 422]
    with pytest.raises(EndpointManagementError, match="Scripted failure 422") as caught:
        deploy("my-embed", MODEL)
    assert caught.value.status == 422


def test_ctrl_c_while_deploying_leaves_nothing_behind(api: EndpointsAPI) -> None:
    api.interrupt_at = "POST"
    with pytest.raises(KeyboardInterrupt):
        deploy("my-embed", MODEL)
    assert len(api.calls("POST")) == 1
    assert api.endpoints == {}


def test_waiting_shows_every_state_and_ends_with_a_url(api: EndpointsAPI) -> None:
    seen: list[str] = []
    endpoint = wait(
        deploy("my-embed", MODEL),
        refresh_every=SOON,
        on_state=lambda now: seen.append(now.state),
    )
    assert seen[:3] == ["pending", "initializing", "running"]
    assert endpoint.url == f"{api.url}/serving/my-embed"


def test_running_is_not_ready_until_the_endpoint_itself_says_so(api: EndpointsAPI) -> None:
    api.add("my-embed", "running").cold_requests = 3
    wait("my-embed", refresh_every=SOON)
    assert len(api.served) == 4


def test_waiting_wakes_an_endpoint_that_is_scaled_to_zero(api: EndpointsAPI) -> None:
    api.add("my-embed", "scaledToZero")
    assert wait("my-embed", refresh_every=SOON).state == "running"


@pytest.mark.parametrize("state", ["paused", "failed", "updateFailed"])
def test_waiting_for_a_stuck_endpoint_ends_at_once(api: EndpointsAPI, state: str) -> None:
    api.add("my-embed", state)
    with pytest.raises(EndpointNotRunningError):
        wait("my-embed", timeout=3600)
    assert len(api.calls("GET", "my-embed")) == 1


def test_an_endpoint_that_fails_on_the_way_ends_the_wait(api: EndpointsAPI) -> None:
    api.course = ["initializing", "failed"]
    with pytest.raises(EndpointNotRunningError, match="not enough hardware capacity"):
        wait(deploy("my-embed", MODEL), refresh_every=SOON)


def test_an_endpoint_that_does_not_come_is_an_error_at_the_deadline(api: EndpointsAPI) -> None:
    api.add("my-embed", "initializing")
    with pytest.raises(ColdStartTimeoutError, match=r"0\.05 s .*'initializing'"):
        wait("my-embed", timeout=0.05, refresh_every=SOON)


def test_passing_failures_of_hugging_face_are_waited_out(api: EndpointsAPI) -> None:
    endpoint = deploy("my-embed", MODEL)
    api.failures = [503, 500, 0, 502]
    assert wait(endpoint, refresh_every=SOON).state == "running"


def test_a_management_api_that_hangs_does_not_hold_up_the_deadline(api: EndpointsAPI) -> None:
    api.add("my-embed", "initializing")
    api.hang = threading.Event()
    try:
        with pytest.raises(ColdStartTimeoutError):
            wait("my-embed", namespace=USER, timeout=0.1, refresh_every=SOON)
    finally:
        api.hang.set()


def test_an_endpoint_that_does_not_exist_is_not_waited_for(api: EndpointsAPI) -> None:
    with pytest.raises(EndpointNotFoundError, match="'nobody' in the namespace 'ada'"):
        wait("nobody")


def test_the_token_is_sent_to_the_endpoint_and_nowhere_in_an_error(api: EndpointsAPI) -> None:
    api.add("my-embed", "running")
    wait("my-embed")
    headers = {name.lower(): value for name, value in api.served[0][2].items()}
    assert headers["authorization"] == f"Bearer {TOKEN}"
    api.revoked = True
    with pytest.raises(EndpointAuthenticationError, match="HF_TOKEN") as caught:
        describe("my-embed")
    assert TOKEN not in f"{caught.value} {caught.value!r}"


def test_no_network_is_told_in_one_sentence(
    api: EndpointsAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EndpointConnectionError, match="cannot be reached"):
        list_endpoints()


def test_list_tells_every_endpoint_running_or_not(api: EndpointsAPI) -> None:
    api.add("one", "running")
    api.add("two", "paused")
    assert [(each.name, each.state) for each in list_endpoints()] == [
        ("one", "running"),
        ("two", "paused"),
    ]


def test_a_given_namespace_is_used_without_asking_whose_the_token_is(api: EndpointsAPI) -> None:
    list_endpoints(namespace="org")
    assert [path for _, path, _ in api.requests] == ["/endpoint/org"]


def test_pausing_resuming_and_scaling_to_zero_give_the_new_state(api: EndpointsAPI) -> None:
    api.add("my-embed", "running")
    assert pause("my-embed").state == "paused"
    assert resume("my-embed").state == "pending"
    assert wait("my-embed", refresh_every=SOON).state == "running"
    assert scale_to_zero("my-embed").state == "scaledToZero"


def test_doing_it_twice_is_no_error(api: EndpointsAPI) -> None:
    api.add("my-embed", "running")
    assert resume("my-embed").state == "running"
    pause("my-embed")
    assert pause("my-embed").state == "paused"


def test_a_change_that_is_refused_is_an_error(api: EndpointsAPI) -> None:
    api.add("my-embed", "paused")
    with pytest.raises(EndpointManagementError, match="Invalid state"):
        scale_to_zero("my-embed")


def test_what_is_deleted_is_gone(api: EndpointsAPI) -> None:
    api.add("my-embed")
    delete(describe("my-embed"))
    assert api.endpoints == {}
    with pytest.raises(EndpointNotFoundError):
        delete("my-embed")


def test_a_running_endpoint_is_paused_on_the_way_out(api: EndpointsAPI) -> None:
    with running_endpoint(deploy("my-embed", MODEL), refresh_every=SOON) as endpoint:
        assert isinstance(endpoint, Endpoint)
        assert endpoint.state == "running"
    assert api.endpoints["my-embed"].state == "paused"


def test_a_paused_endpoint_is_resumed_on_the_way_in(api: EndpointsAPI) -> None:
    api.add("my-embed", "paused")
    with running_endpoint("my-embed", on_exit="scale_to_zero", refresh_every=SOON) as endpoint:
        assert endpoint.url is not None
    assert api.endpoints["my-embed"].state == "scaledToZero"


@pytest.mark.parametrize("trouble", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_endpoint_is_deleted_whatever_ends_the_work(
    api: EndpointsAPI, trouble: type[BaseException]
) -> None:
    api.add("my-embed")
    with pytest.raises(trouble), running_endpoint("my-embed", on_exit="delete"):
        raise trouble
    assert api.endpoints == {}


def test_ctrl_c_while_waiting_pauses_too(api: EndpointsAPI) -> None:
    def interrupt(_: Endpoint) -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        running_endpoint(deploy("my-embed", MODEL), on_state=interrupt),
    ):
        pytest.fail("never entered")
    assert api.endpoints["my-embed"].state == "paused"


def test_a_second_ctrl_c_does_not_keep_it_from_being_stopped(api: EndpointsAPI) -> None:
    api.add("my-embed")
    api.interrupt_at = "POST"
    with (
        pytest.raises(KeyboardInterrupt),
        running_endpoint("my-embed", refresh_every=SOON),
    ):
        raise KeyboardInterrupt
    assert len(api.calls("POST", "/pause")) == 1
    assert api.endpoints["my-embed"].state == "paused"


def test_an_endpoint_that_failed_is_still_stopped(api: EndpointsAPI) -> None:
    api.course = ["failed"]
    with (
        pytest.raises(EndpointNotRunningError),
        running_endpoint(deploy("my-embed", MODEL), on_exit="delete", refresh_every=SOON),
    ):
        pytest.fail("never entered")
    assert api.endpoints == {}


def test_stopping_is_tried_again_when_hugging_face_stumbles(api: EndpointsAPI) -> None:
    api.add("my-embed")
    with running_endpoint("my-embed", on_exit="delete", refresh_every=SOON):
        api.failures = [503]
    assert api.endpoints == {}


def test_an_endpoint_that_cannot_be_stopped_is_an_error(api: EndpointsAPI) -> None:
    api.add("my-embed")
    with (
        pytest.raises(EndpointManagementError, match="go on costing money"),
        running_endpoint("my-embed", on_exit="delete", refresh_every=SOON),
    ):
        api.failures = [503] * 9


def test_failing_to_stop_does_not_hide_what_went_wrong_before(
    api: EndpointsAPI, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> None:
        with running_endpoint("my-embed", refresh_every=SOON):
            api.failures = [503] * 9
            raise ZeroDivisionError

    api.add("my-embed")
    with pytest.raises(ZeroDivisionError):
        work()
    assert "go on costing money" in caplog.text


def test_an_endpoint_is_what_the_embeddings_take(api: EndpointsAPI) -> None:
    endpoint = wait(deploy("my-embed", MODEL, revision="abc"), refresh_every=SOON)
    with HFEndpointEmbeddings.from_endpoint(endpoint, api_key=SecretStr(TOKEN)) as embeddings:
        assert len(embeddings.embed_query("A man sleeps.")) == DIMENSION
        assert embeddings.provenance().model == MODEL
        assert embeddings.provenance().revision == "abc"


def test_an_endpoint_deleted_meanwhile_needs_no_stopping(api: EndpointsAPI) -> None:
    api.add("my-embed")
    with running_endpoint("my-embed") as endpoint:
        delete(endpoint)
    assert api.endpoints == {}
