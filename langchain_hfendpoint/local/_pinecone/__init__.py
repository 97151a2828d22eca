"""The inside of the local Pinecone: everything behind `langchain_hfendpoint.local.pinecone`.

Floors, each importing only from those above it in this list:

    wire        error shapes and limits of Pinecone's protocol
    metadata    what a record's metadata may be, and how they are stored
    filters     the filter language: compiled, and decided for one record or for many at once
    columns     metadata fields as arrays, so that a filter costs no parsing
    memory      vectors and ids in memory, with versions: every reader sees one moment
    search      exact top-k over float32 rows
    database    one SQLite file an index: what is on disk, and in which order
    index       one index: a writer thread that commits, and snapshots that read
    directory   a folder of indexes, locked against a second server
    requests    bodies of the data plane as typed values
    control     bodies of the control plane, in the API versions of 2025 and 2026
    app         routes, keys, headers
"""
