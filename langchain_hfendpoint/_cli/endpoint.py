"""`hfendpoint endpoint`: Inference Endpoints from cradle to grave."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from langchain_hfendpoint._cli.asking import ask_first
from langchain_hfendpoint._cli.options import json_option, yes_option
from langchain_hfendpoint._cli.render import print_fields, print_json, print_table, say

if TYPE_CHECKING:
    from langchain_hfendpoint.endpoints import Endpoint, Hardware

_account_option = click.option(
    "--namespace", help="User or organization.  [default: the user of HF_TOKEN]"
)
_timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=1800.0,
    show_default=True,
    help="Seconds to wait until it answers.",
)
_refresh_option = click.option(
    "--refresh-every",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds between two looks while waiting.",
)
_wait_option = click.option("--wait", "and_wait", is_flag=True, help="Wait until it answers.")


@click.group()
def endpoint() -> None:
    """Deploy, watch, stop and delete Inference Endpoints.

    Needs a Hugging Face token: HF_TOKEN, or that of `hf auth login`.
    """


def _environment(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.BadParameter(f"{name!r} is not NAME=VALUE", ctx=ctx, param=param)
    return {name: value for name, _, value in pairs}


@endpoint.command()
@click.argument("name")
@click.argument("model")
@click.option("--vendor", default="aws", show_default=True, help="Cloud.")
@click.option("--region", default="us-east-1", show_default=True, help="Region of that cloud.")
@click.option(
    "--accelerator",
    type=click.Choice(["cpu", "gpu", "neuron"]),
    default="cpu",
    show_default=True,
    help="What computes.",
)
@click.option("--instance-type", default="intel-spr", show_default=True, help="Kind of machine.")
@click.option("--instance-size", default="x1", show_default=True, help="Size of machine.")
@click.option(
    "--min-replica",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Fewest replicas; with 0 it scales to zero when nobody asks.",
)
@click.option(
    "--max-replica",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Most replicas.",
)
@click.option(
    "--scale-to-zero-timeout",
    type=click.IntRange(min=1),
    help="Idle minutes before it scales to zero.  [default: 15, or never with --min-replica]",
)
@click.option(
    "--type",
    "type_",
    type=click.Choice(["authenticated", "private", "public"]),
    default="authenticated",
    show_default=True,
    help="Who may call it: any token, the namespace's, everybody.",
)
@click.option(
    "--env",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_environment,
    help="Environment of the container, such as MAX_CLIENT_BATCH_SIZE=128. May be repeated.",
)
@click.option("--tag", "tags", multiple=True, help="Tag of the endpoint. May be repeated.")
@click.option(
    "--image",
    default="tei",
    show_default=True,
    help="`tei`, `default` (Hugging Face's own container), or the URL of a TEI image.",
)
@click.option("--revision", help="Commit or branch of the model.  [default: the newest]")
@_account_option
@click.option("--exist-ok", is_flag=True, help="Take an endpoint of this name as it is.")
@_wait_option
@_timeout_option
@_refresh_option
@yes_option
@json_option
def deploy(
    *,
    name: str,
    model: str,
    vendor: str,
    region: str,
    accelerator: str,
    instance_type: str,
    instance_size: str,
    min_replica: int,
    max_replica: int,
    scale_to_zero_timeout: int | None,
    type_: str,
    env: dict[str, str],
    tags: tuple[str, ...],
    image: str,
    revision: str | None,
    namespace: str | None,
    exist_ok: bool,
    and_wait: bool,
    timeout: float,
    refresh_every: float,
    yes: bool,
    as_json: bool,
) -> None:
    """Deploy MODEL as the endpoint NAME.

    Tells what it costs, and asks, before anything is rented.

    Example: hfendpoint endpoint deploy my-embed BAAI/bge-small-en-v1.5 --wait
    """
    from langchain_hfendpoint.endpoints import deploy as deploy_endpoint

    def announce(hardware: Hardware) -> None:
        say("Machine", str(hardware))
        say("Cost", _cost(hardware.hourly_price, max_replica))
        ask_first(f"Deploy {model} as {name!r}?", yes=yes)

    made = deploy_endpoint(
        name,
        model,
        vendor=vendor,
        region=region,
        accelerator=accelerator,
        instance_type=instance_type,
        instance_size=instance_size,
        min_replica=min_replica,
        max_replica=max_replica,
        scale_to_zero_timeout=scale_to_zero_timeout,
        type=type_,  # type: ignore[arg-type]  # click.Choice
        env=env,
        tags=tags,
        image=image,
        revision=revision,
        namespace=namespace,
        exist_ok=exist_ok,
        announce=announce,
    )
    _show(_wait_for(made, timeout, refresh_every) if and_wait else made, as_json=as_json)
    if not and_wait:
        _hint(f"It is starting. Wait for it: hfendpoint endpoint wait {name}")


@endpoint.command()
@click.argument("name")
@_account_option
@_timeout_option
@_refresh_option
@json_option
def wait(
    *, name: str, namespace: str | None, timeout: float, refresh_every: float, as_json: bool
) -> None:
    """Wait until the endpoint NAME answers.

    Wakes it if it is scaled to zero; ends at once if it is paused or has failed.

    Example: hfendpoint endpoint wait my-embed --timeout 600
    """
    from langchain_hfendpoint.endpoints import describe as describe_endpoint

    _show(
        _wait_for(describe_endpoint(name, namespace=namespace), timeout, refresh_every),
        as_json=as_json,
    )


@endpoint.command("list")
@_account_option
@json_option
def list_command(*, namespace: str | None, as_json: bool) -> None:
    """List the endpoints, running or not.

    Example: hfendpoint endpoint list
    """
    from langchain_hfendpoint.endpoints import list_endpoints

    found = list_endpoints(namespace=namespace)
    if as_json:
        print_json({"endpoints": [asdict(each) for each in found]})
    elif not found:
        click.echo("There is no endpoint.", err=True)
    else:
        print_table(
            ["NAME", "STATE", "REPLICAS", "MODEL", "MACHINE", "URL"],
            [
                [
                    each.name,
                    each.state,
                    f"{each.ready_replica} of {each.max_replica}",
                    each.model,
                    f"{each.instance_type} {each.instance_size}",
                    each.url,
                ]
                for each in found
            ],
        )


@endpoint.command()
@click.argument("name")
@_account_option
@json_option
def describe(*, name: str, namespace: str | None, as_json: bool) -> None:
    """Tell everything about the endpoint NAME.

    Example: hfendpoint endpoint describe my-embed --json
    """
    from langchain_hfendpoint.endpoints import describe as describe_endpoint

    _show(describe_endpoint(name, namespace=namespace), as_json=as_json)


@endpoint.command()
@click.argument("name")
@_account_option
@json_option
def pause(*, name: str, namespace: str | None, as_json: bool) -> None:
    """Stop the endpoint NAME until it is resumed.

    A paused endpoint costs nothing.

    Example: hfendpoint endpoint pause my-embed
    """
    from langchain_hfendpoint.endpoints import pause as pause_endpoint

    _show(pause_endpoint(name, namespace=namespace), as_json=as_json)


@endpoint.command()
@click.argument("name")
@_account_option
@_wait_option
@_timeout_option
@_refresh_option
@json_option
def resume(
    *,
    name: str,
    namespace: str | None,
    and_wait: bool,
    timeout: float,
    refresh_every: float,
    as_json: bool,
) -> None:
    """Start the paused endpoint NAME again.

    Example: hfendpoint endpoint resume my-embed --wait
    """
    from langchain_hfendpoint.endpoints import resume as resume_endpoint

    started = resume_endpoint(name, namespace=namespace)
    _show(_wait_for(started, timeout, refresh_every) if and_wait else started, as_json=as_json)


@endpoint.command("scale-to-zero")
@click.argument("name")
@_account_option
@json_option
def scale_to_zero(*, name: str, namespace: str | None, as_json: bool) -> None:
    """Stop the endpoint NAME until the next request.

    An endpoint that is scaled to zero costs nothing, and takes minutes to wake.

    Example: hfendpoint endpoint scale-to-zero my-embed
    """
    from langchain_hfendpoint.endpoints import scale_to_zero as scale_endpoint_to_zero

    _show(scale_endpoint_to_zero(name, namespace=namespace), as_json=as_json)


@endpoint.command()
@click.argument("name")
@_account_option
@yes_option
@json_option
def delete(*, name: str, namespace: str | None, yes: bool, as_json: bool) -> None:
    """Delete the endpoint NAME for good.

    With it go its settings, logs and URL.

    Example: hfendpoint endpoint delete my-embed
    """
    from langchain_hfendpoint.endpoints import delete as delete_endpoint
    from langchain_hfendpoint.endpoints import describe as describe_endpoint

    doomed = describe_endpoint(name, namespace=namespace)
    ask_first(f"Delete the endpoint {name!r} ({doomed.model}, {doomed.state}) for good?", yes=yes)
    delete_endpoint(doomed)
    if as_json:
        print_json({"deleted": name, "namespace": doomed.namespace})
    else:
        click.echo(f"Deleted {name}.")


def _wait_for(started: Endpoint, timeout: float, refresh_every: float) -> Endpoint:
    from langchain_hfendpoint._cli.state_line import StateLine
    from langchain_hfendpoint.endpoints import wait as wait_for_endpoint

    line = StateLine()
    try:
        return wait_for_endpoint(
            started, timeout=timeout, refresh_every=refresh_every, on_state=line
        )
    finally:
        line.end()


def _show(shown: Endpoint, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(shown))
        return
    scaling = f"{shown.min_replica} to {shown.max_replica} replicas, {shown.ready_replica} ready"
    if shown.scale_to_zero_timeout is not None:
        scaling += f", to zero after {shown.scale_to_zero_timeout} idle minutes"
    print_fields(
        {
            "Name": f"{shown.namespace}/{shown.name}",
            "State": f"{shown.state} ({shown.message})" if shown.message else shown.state,
            "Model": shown.model,
            "Revision": shown.revision,
            "URL": shown.url,
            "Type": shown.type,
            "Image": shown.image,
            "Machine": f"{shown.vendor} {shown.region} {shown.accelerator} "
            f"{shown.instance_type} {shown.instance_size}",
            "Scaling": scaling,
            "Tags": ", ".join(shown.tags) or None,
        }
    )
    if shown.url is not None and shown.state == "running":
        _hint(f"Use it: export HF_ENDPOINT_URL={shown.url}")


def _cost(hourly_price: float | None, max_replica: int) -> str:
    if hourly_price is None:
        return "not known: Hugging Face does not tell its price here"
    each = f"${hourly_price:g} an hour while it runs"
    return each if max_replica == 1 else f"{each}, for each of up to {max_replica} replicas"


def _hint(hint: str) -> None:
    click.echo(hint, err=True)
