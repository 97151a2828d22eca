"""What users may import, pinned."""

import subprocess
import sys

import langchain_hfendpoint


def test_the_public_names_are_exactly_these() -> None:
    assert langchain_hfendpoint.__all__ == [
        "EmbeddedDataset",
        "HFEndpointEmbeddings",
        "HFEndpointError",
        "SNLILoader",
        "SQLiteRecordManager",
        "aindex",
        "index",
        "open_pinecone",
    ]


def test_every_public_name_can_be_imported() -> None:
    for name in langchain_hfendpoint.__all__:
        assert getattr(langchain_hfendpoint, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(langchain_hfendpoint, "NoSuchName")


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, langchain_hfendpoint; "
        "print([m for m in ('numpy', 'aiohttp', 'langchain_core', 'datasets') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert answer.stdout.decode().strip() == "[]"
