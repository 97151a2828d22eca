"""The inside of the local Pinecone: everything behind `langchain_hfendpoint.local.pinecone`.

Floors, each importing only from those above it in this list:

    wire        error shapes and limits of Pinecone's protocol
    metadata    what a record's metadata may be, and how they are stored
    filters     the filter language: compiled, and decided for one record or for many at once
    memory      vectors and ids in memory, with versions: every reader sees one moment
    search      exact top-k over float32 rows
    config      what an index is, apart from its records
    columns     metadata fields as arrays, so that a filter costs no parsing
    files       telling our files from others, and damage from health
    database    one SQLite file an index: what is on disk, and in which order
    reading     what can be read of an index at one moment
    index       one index: a writer thread that commits, and snapshots that read
    operations  what can be done to an index, each in one transaction
    directory   a folder of indexes, locked against a second server
    dump        a directory as one Parquet file, and back
    fields      JSON bodies field by field
    requests    records, ids and vectors of the data plane as typed values
    calls       what comes to the data plane and goes from it
    namespaces  namespaces: listed, described, made and deleted by their names
    data_plane  records: each operation from its request to its answer, without any network
    control     bodies of the control plane, in the API versions of 2025 and 2026
    faults      faults on purpose
    app         routes, keys, headers
"""
