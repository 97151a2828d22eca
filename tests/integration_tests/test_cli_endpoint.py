"""`hfendpoint endpoint`, over the real huggingface_hub and a stand-in of the management API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.commands import Commands, Terminal
from tests.support.endpoints_api_server import MODEL, TOKEN, EndpointsAPI, stand_in_for_hugging_face


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointsAPI]:
    with stand_in_for_hugging_face(monkeypatch) as stand_in:
        yield stand_in


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capsys)


def test_deploy_tells_the_price_on_stderr_and_the_endpoint_on_stdout(
    api: EndpointsAPI, run: Commands
) -> None:
    ran = run("endpoint", "deploy", "my-embed", MODEL, "--yes", "--json")
    assert ran.code == 0
    assert ran.json["state"] == "pending"
    assert ran.json["model"] == MODEL
    assert "$0.033 an hour" in ran.err
    assert "hfendpoint endpoint wait my-embed" in ran.err


def test_every_option_of_deploy_reaches_hugging_face(api: EndpointsAPI, run: Commands) -> None:
    run(
        *("endpoint", "deploy", "my-embed", MODEL, "--yes"),
        *("--accelerator", "gpu", "--instance-type", "nvidia-l4", "--instance-size", "x1"),
        *("--vendor", "aws", "--region", "us-east-1", "--namespace", "org"),
        *("--min-replica", "0", "--max-replica", "3", "--scale-to-zero-timeout", "30"),
        *("--type", "public", "--image", "default", "--revision", "abc"),
        *("--env", "MAX_CLIENT_BATCH_SIZE=128", "--env", "A=b=c", "--tag", "x", "--tag", "y"),
    )
    (payload,) = api.calls("POST", "/endpoint/org")
    assert payload["compute"]["scaling"] == {
        "minReplica": 0,
        "maxReplica": 3,
        "scaleToZeroTimeout": 30,
    }
    assert payload["model"]["env"] == {"MAX_CLIENT_BATCH_SIZE": "128", "A": "b=c"}
    assert payload["model"]["image"] == {"huggingface": {}}
    assert payload["model"]["revision"] == "abc"
    assert (payload["type"], payload["tags"]) == ("public", ["x", "y"])


def test_deploy_with_nobody_to_ask_needs_yes(api: EndpointsAPI, run: Commands) -> None:
    ran = run("endpoint", "deploy", "my-embed", MODEL)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert api.endpoints == {}


def test_an_environment_without_equals_sign_is_wrong_usage(
    api: EndpointsAPI, run: Commands
) -> None:
    ran = run("endpoint", "deploy", "my-embed", MODEL, "--env", "OOPS")
    assert ran.code == 2
    assert "NAME=VALUE" in ran.err


def test_wait_shows_each_state_once_on_stderr(api: EndpointsAPI, run: Commands) -> None:
    api.add("my-embed", "scaledToZero")
    ran = run("endpoint", "wait", "my-embed", "--refresh-every", "0.01")
    assert ran.code == 0
    assert [line.split(" (")[0] for line in ran.err.splitlines()[:3]] == [
        "my-embed: scaledToZero",
        "my-embed: initializing",
        "my-embed: running",
    ]
    assert f"{api.url}/serving/my-embed" in ran.out


def test_waiting_for_a_paused_endpoint_is_an_error_with_the_remedy(
    api: EndpointsAPI, run: Commands
) -> None:
    api.add("my-embed", "paused")
    ran = run("endpoint", "wait", "my-embed")
    assert ran.code == 1
    assert ran.out == ""
    assert "Resume it: hfendpoint endpoint resume my-embed" in ran.err


def test_list_is_a_table_or_json(api: EndpointsAPI, run: Commands) -> None:
    assert "no endpoint" in run("endpoint", "list").err
    api.add("one", "running")
    api.add("two", "paused")
    table = run("endpoint", "list").out.splitlines()
    assert table[0].split() == ["NAME", "STATE", "REPLICAS", "MODEL", "MACHINE", "URL"]
    assert [line.split()[:2] for line in table[1:]] == [["one", "running"], ["two", "paused"]]
    listed = run("endpoint", "list", "--json").json["endpoints"]
    assert [each["name"] for each in listed] == ["one", "two"]


def test_pause_resume_and_scale_to_zero_tell_the_new_state(
    api: EndpointsAPI, run: Commands
) -> None:
    api.add("my-embed", "running")
    states = [
        run("endpoint", *command, "my-embed", "--json").json["state"]
        for command in (
            ["pause"],
            ["resume"],
            ["wait", "--refresh-every", "0.01"],
            ["scale-to-zero"],
            ["describe"],
        )
    ]
    assert states == ["paused", "pending", "running", "scaledToZero", "scaledToZero"]


def test_delete_with_nobody_to_ask_needs_yes(api: EndpointsAPI, run: Commands) -> None:
    api.add("my-embed")
    ran = run("endpoint", "delete", "my-embed")
    assert (ran.code, "my-embed" in api.endpoints) == (2, True)
    assert "for good?" in ran.err
    ran = run("endpoint", "delete", "my-embed", "-y", "--json")
    assert (ran.code, ran.json["deleted"]) == (0, "my-embed")
    assert api.endpoints == {}


def test_an_error_is_one_sentence_without_the_token(api: EndpointsAPI, run: Commands) -> None:
    ran = run("endpoint", "describe", "nobody")
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert TOKEN not in ran.err


def test_a_person_at_a_terminal_is_asked_and_watches_the_states(api: EndpointsAPI) -> None:
    terminal = Terminal(
        *("endpoint", "deploy", "my-embed", MODEL, "--wait", "--refresh-every", "0.01"),
        hugging_face=api.url,
        environment={"HF_TOKEN": TOKEN},
    )
    terminal.wait_for("[y/N]")
    assert api.endpoints == {}
    terminal.type("y\n")
    assert terminal.end() == 0
    assert "$0.033 an hour" in terminal.seen
    assert "\r\x1b[Kmy-embed: pending" in terminal.seen
    assert "\r\x1b[Kmy-embed: running" in terminal.seen
    assert f"{api.url}/serving/my-embed" in terminal.seen


def test_a_person_who_says_no_gets_nothing_deleted(api: EndpointsAPI) -> None:
    api.add("my-embed")
    terminal = Terminal(
        *("endpoint", "delete", "my-embed"), hugging_face=api.url, environment={"HF_TOKEN": TOKEN}
    )
    terminal.wait_for("[y/N]")
    terminal.type("n\n")
    assert terminal.end() == 1
    assert "Nothing was done." in terminal.seen
    assert "my-embed" in api.endpoints


def test_ctrl_c_while_waiting_ends_with_130(api: EndpointsAPI) -> None:
    api.add("my-embed", "initializing")
    terminal = Terminal(
        *("endpoint", "wait", "my-embed"), hugging_face=api.url, environment={"HF_TOKEN": TOKEN}
    )
    terminal.wait_for("initializing")
    terminal.interrupt()
    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen
