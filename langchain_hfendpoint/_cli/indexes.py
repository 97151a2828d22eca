"""`hfendpoint indexes`: the Pinecone indexes, in the cloud or on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from langchain_hfendpoint._cli.asking import ask_first
from langchain_hfendpoint._cli.options import endpoint_url_option, json_option, yes_option
from langchain_hfendpoint._cli.render import print_fields, print_json, print_table
from langchain_hfendpoint._cli.services import Workspace, open_endpoint, open_pinecone_access

if TYPE_CHECKING:
    from langchain_hfendpoint.indexes import PineconeIndex
    from langchain_hfendpoint.vectorstores import Metric


@click.group()
def indexes() -> None:
    """List, make, describe and delete Pinecone indexes.

    In Pinecone's cloud with PINECONE_API_KEY, and else in the local server of this machine.
    """


@indexes.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """List the indexes.

    Example: hfendpoint indexes list
    """
    from langchain_hfendpoint.indexes import list_indexes

    with open_pinecone_access(Workspace.from_environment()) as pinecone:
        found = list_indexes(api_key=pinecone.api_key, controller_host=pinecone.controller_host)
    if as_json:
        print_json({"indexes": [_as_dict(each) for each in found]})
    elif not found:
        click.echo(f"There is no index in {pinecone.description}.", err=True)
    else:
        print_table(
            ["NAME", "DIMENSION", "METRIC", "MODEL", "READY"],
            [
                [
                    each.name,
                    each.dimension,
                    each.metric,
                    each.provenance and each.provenance.model,
                    "yes" if each.ready else "no",
                ]
                for each in found
            ],
        )


@indexes.command()
@click.argument("name")
@click.option(
    "--metric",
    type=click.Choice(["cosine", "dotproduct", "euclidean"]),
    default="cosine",
    show_default=True,
    help="How vectors are compared.",
)
@click.option("--cloud", default="aws", show_default=True, help="Cloud of a serverless index.")
@click.option(
    "--region", default="us-east-1", show_default=True, help="Region of a serverless index."
)
@endpoint_url_option
@json_option
def create(
    *,
    name: str,
    metric: Metric,
    cloud: str,
    region: str,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Make the index NAME for an endpoint's vectors.

    The dimension is that of the endpoint's vectors, and the index remembers which model makes
    them. An index that fits already stays as it is; one that does not fit is an error.

    Example: hfendpoint indexes create hf-endpoints --metric cosine
    """
    from langchain_hfendpoint import open_pinecone
    from langchain_hfendpoint.indexes import describe_index

    with (
        open_pinecone_access(Workspace.from_environment()) as pinecone,
        open_endpoint(endpoint_url) as endpoint,
    ):
        open_pinecone(
            name,
            endpoint.embeddings,
            api_key=pinecone.api_key,
            controller_host=pinecone.controller_host,
            metric=metric,
            cloud=cloud,
            region=region,
        )
        made = describe_index(
            name, api_key=pinecone.api_key, controller_host=pinecone.controller_host
        )
    _show(made, as_json=as_json)


@indexes.command()
@click.argument("name")
@json_option
def describe(*, name: str, as_json: bool) -> None:
    """Tell what is in the index NAME.

    Also tells which model made its vectors, if the index knows.

    Example: hfendpoint indexes describe hf-endpoints
    """
    _show(_look(name), as_json=as_json)


@indexes.command()
@click.argument("name")
@json_option
def namespaces(*, name: str, as_json: bool) -> None:
    """List the namespaces of the index NAME with their vectors.

    Example: hfendpoint indexes namespaces hf-endpoints
    """
    found = _look(name).namespaces or {}
    if as_json:
        print_json({"index": name, "namespaces": found})
    elif not found:
        click.echo(f"The index {name!r} holds nothing.", err=True)
    else:
        print_table(
            ["NAMESPACE", "VECTORS"],
            [[space or "(unnamed)", f"{vectors:,}"] for space, vectors in found.items()],
        )


@indexes.command()
@click.argument("name")
@yes_option
@json_option
def delete(*, name: str, yes: bool, as_json: bool) -> None:
    """Delete the index NAME for good.

    With it go all its vectors.

    Example: hfendpoint indexes delete hf-endpoints
    """
    from langchain_hfendpoint.indexes import delete_index, describe_index

    with open_pinecone_access(Workspace.from_environment()) as pinecone:
        doomed = describe_index(
            name, api_key=pinecone.api_key, controller_host=pinecone.controller_host
        )
        ask_first(
            f"Delete the index {name!r} in {pinecone.description} "
            f"with its {doomed.vectors or 0:,} vectors for good?",
            yes=yes,
        )
        delete_index(name, api_key=pinecone.api_key, controller_host=pinecone.controller_host)
    if as_json:
        print_json({"deleted": name, "vectors": doomed.vectors})
    else:
        click.echo(f"Deleted {name}.")


def _look(name: str) -> PineconeIndex:
    from langchain_hfendpoint.indexes import describe_index

    with open_pinecone_access(Workspace.from_environment()) as pinecone:
        return describe_index(
            name, api_key=pinecone.api_key, controller_host=pinecone.controller_host
        )


def _as_dict(index: PineconeIndex) -> Mapping[str, object]:
    return {**asdict(index), "dimension": index.dimension, "vectors": index.vectors}


def _show(index: PineconeIndex, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(index))
        return
    made = index.provenance
    spaces = index.namespaces or {}
    print_fields(
        {
            "Name": index.name,
            "Vectors": None if index.vectors is None else f"{index.vectors:,}",
            "Namespaces": ", ".join(
                f"{space or '(unnamed)'} {vectors:,}" for space, vectors in spaces.items()
            )
            or None,
            "Dimension": index.dimension,
            "Metric": index.metric,
            "Model": made and (made.model or "not known"),
            "Revision": made and made.revision,
            "Normalized": None if made is None else made.normalized,
            "Prompt": (made and made.document_prompt) or None,
            "Host": index.host,
            "Ready": "yes" if index.ready else "no",
            "Protected": "yes" if index.deletion_protected else "no",
        }
    )
