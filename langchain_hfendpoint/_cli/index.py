"""`hfendpoint index`: an embedded data set into Pinecone, without embedding anything."""

from __future__ import annotations

import click

from langchain_hfendpoint._cli.options import (
    index_option,
    json_option,
    namespace_option,
    progress_option,
)
from langchain_hfendpoint._cli.render import print_json, print_statistics, say
from langchain_hfendpoint._cli.services import Workspace, open_pinecone_access


@click.command()
@click.argument("repo_or_path")
@click.option("--revision", help="Branch, tag or commit of a Hub repository.")
@index_option
@namespace_option
@json_option
@progress_option
def index(
    *,
    repo_or_path: str,
    revision: str | None,
    index_name: str,
    namespace: str | None,
    as_json: bool,
    progress: bool | None,
) -> None:
    """Upsert an embedded data set into Pinecone.

    REPO_OR_PATH was made by `embed`, or pushed to the Hub. No endpoint is needed: the vectors are
    taken as they are. An index that holds vectors of another model is refused. Run it again and it
    continues where it stopped.

    Example: hfendpoint index out --index hf-endpoints
    """
    from langchain_hfendpoint import indexing
    from langchain_hfendpoint._hub.stored import StoredEmbeddings
    from langchain_hfendpoint._quickstart import count_vectors, index_statistics
    from langchain_hfendpoint.hub import EmbeddedDataset
    from langchain_hfendpoint.record_manager import SQLiteRecordManager
    from langchain_hfendpoint.vectorstores import open_pinecone

    embedded = EmbeddedDataset.load(repo_or_path, revision=revision)
    say("Data", f"{len(embedded):,} texts with their embeddings from {repo_or_path}")
    workspace = Workspace.from_environment()
    with open_pinecone_access(workspace) as pinecone:
        say("Index", f"{index_name} in {pinecone.description}")
        store = open_pinecone(
            index_name,
            StoredEmbeddings(embedded.provenance),
            api_key=pinecone.api_key,
            controller_host=pinecone.controller_host,
            namespace=namespace,
        )
        records = SQLiteRecordManager(
            f"{pinecone.description}/{index_name}/{namespace or ''}", workspace.records
        )
        if count_vectors(store) == 0:
            # The index was deleted behind our back, or is new: nothing is known to be in it.
            records.delete_keys(records.list_keys())
        report = indexing.index(embedded, records, store, progress=progress)
        stats = index_statistics(store)
    if as_json:
        print_json({**report, "embedded": report.embedded, "stats": stats})
        return
    click.echo(
        f"{report['num_added']:,} texts are new in the index, {report['num_skipped']:,} were there."
    )
    print_statistics(stats)
