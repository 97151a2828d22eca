"""A tour through the Pinecone client's API, for whichever version is installed.

Run by test_local_pinecone_clients.py in an environment of its own:
python pinecone_client_tour.py HOST (with PINECONE_API_KEY set).
"""

import sys
import time

import pinecone
from pinecone import Pinecone, ServerlessSpec

MAJOR = int(pinecone.__version__.split(".")[0])


def tour(host: str) -> None:
    client = Pinecone(host=host)
    indexes(client)
    index = client.Index(name="tour")
    records(index)
    filters(index)
    if MAJOR >= 8:
        by_metadata(index)
        namespaces(index)
    refusals(client, index)
    sparse(client)
    client.configure_index(name="tour", deletion_protection="disabled")
    client.delete_index(name="tour")
    assert not client.has_index("tour")


def indexes(client: Pinecone) -> None:
    client.create_index(
        name="tour",
        dimension=3,
        metric="dotproduct",
        spec=ServerlessSpec(cloud="aws", region="us-east-1"),
        tags={"team": "a", "gone": "b"},
        deletion_protection="enabled",
    )
    client.configure_index(name="tour", tags={"gone": "", "new": "c"})
    described = client.describe_index(name="tour")
    assert (described.dimension, described.metric) == (3, "dotproduct"), described
    assert described.host.endswith("/i/tour"), described
    assert described.status.ready is True or described.status["ready"] is True
    assert dict(described.tags.to_dict()) == {"team": "a", "new": "c"}, described.tags
    assert client.has_index("tour")
    assert "tour" in [item.name for item in client.list_indexes()]


def records(index: object) -> None:
    vectors = [
        {"id": f"doc#{n}", "values": [1.0, float(n), 0.5], "metadata": {"n": n, "kind": "x"}}
        for n in range(5)
    ]
    assert index.upsert(vectors=vectors).upserted_count == 5
    hybrid = {
        "id": "s",
        "values": [0.1, 0.1, 0.1],
        "sparse_values": {"indices": [1], "values": [9.0]},
    }
    index.upsert(vectors=[hybrid], namespace="other")
    found = index.query(vector=[0.0, 1.0, 0.0], top_k=2, include_metadata=True)
    assert [match.id for match in found.matches] == ["doc#4", "doc#3"], found
    assert found.matches[0].metadata["n"] == 4.0
    assert abs(found.matches[0].score - 4.0) < 1e-6
    both = index.query(
        vector=[1.0, 0.0, 0.0],
        sparse_vector={"indices": [1], "values": [1.0]},
        top_k=1,
        namespace="other",
        include_values=True,
    )
    assert abs(both.matches[0].score - 9.1) < 1e-5, both
    assert list(index.fetch(ids=["doc#1", "nobody"]).vectors) == ["doc#1"]
    listed = [
        getattr(item, "id", item)
        for page in index.list(prefix="doc#", limit=2)
        for item in items(page)
    ]
    assert listed == [f"doc#{n}" for n in range(5)], listed
    index.update(id="doc#1", values=[7.0, 7.0, 7.0], set_metadata={"new": True})
    updated = index.fetch(ids=["doc#1"]).vectors["doc#1"]
    assert list(updated.values) == [7.0, 7.0, 7.0], updated
    assert updated.metadata == {"n": 1.0, "kind": "x", "new": True}
    index.delete(ids=["doc#1"])
    stats = index.describe_index_stats()
    assert stats.total_vector_count == 5, stats
    assert stats.namespaces["other"].vector_count == 1


def items(page: object) -> list:
    if isinstance(page, (list, tuple)):
        return list(page)
    return list(getattr(page, "vectors", [page]))


def filters(index: object) -> None:
    filter_ = {"$or": [{"n": {"$gte": 3}}, {"n": {"$in": [0]}}]}
    found = index.query(vector=[1.0, 1.0, 1.0], top_k=10, filter=filter_)
    assert {match.id for match in found.matches} == {"doc#0", "doc#3", "doc#4"}, found
    index.delete(filter={"n": {"$lt": 1}})
    assert not index.fetch(ids=["doc#0"]).vectors


def by_metadata(index: object) -> None:
    fetched = index.fetch_by_metadata(filter={"n": {"$gte": 3}}, limit=1)
    assert len(fetched.vectors) == 1, fetched
    assert fetched.pagination.next
    index.update(filter={"n": 4}, set_metadata={"big": True})
    assert index.fetch(ids=["doc#4"]).vectors["doc#4"].metadata["big"] is True


def namespaces(index: object) -> None:
    index.create_namespace(name="made")
    assert index.describe_namespace(namespace="made").name == "made"
    names = [item.name for page in index.list_namespaces() for item in named(page)]
    assert {"made", "other"} <= set(names), names
    index.delete_namespace(namespace="made")


def named(page: object) -> list:
    if hasattr(page, "name"):
        return [page]
    return list(getattr(page, "namespaces", page))


def refusals(client: Pinecone, index: object) -> None:
    expect("does not match the dimension", lambda: index.upsert(vectors=[("a", [1.0])]))
    expect("Namespace not found", lambda: index.delete(ids=["a"], namespace="nowhere"))
    expect("eletion protection", lambda: client.delete_index(name="tour"))
    expect("tour", lambda: client.describe_index(name="no-tour"))
    spec = ServerlessSpec(cloud="aws", region="us-east-1")
    expect(
        "already exists",
        lambda: client.create_index(name="tour", dimension=3, metric="cosine", spec=spec),
    )


def sparse(client: Pinecone) -> None:
    spec = ServerlessSpec(cloud="aws", region="us-east-1")
    client.create_index(name="terms", metric="dotproduct", vector_type="sparse", spec=spec)
    index = client.Index(name="terms")
    terms = {"indices": [3, 5], "values": [1.0, 2.0]}
    index.upsert(vectors=[{"id": "t", "sparse_values": terms}])
    found = index.query(sparse_vector={"indices": [5], "values": [2.0]}, top_k=1)
    assert (found.matches[0].id, found.matches[0].score) == ("t", 4.0), found
    client.delete_index(name="terms")


def expect(text: str, action: object) -> None:
    started = time.monotonic()
    try:
        action()
    except Exception as error:  # noqa: BLE001 (each version has error types of its own)
        said = str(error)
    else:
        said = "nothing was refused"
    assert text in said, f"{text!r} is not in {said!r}"
    assert time.monotonic() - started < 5, "a refusal was retried"


if __name__ == "__main__":
    tour(sys.argv[1])
    print("toured with", pinecone.__version__)
