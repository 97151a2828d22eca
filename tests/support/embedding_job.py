"""A job that embeds slowly into a folder, to be killed: python -m tests.support.embedding_job.

Arguments: the folder, the number of texts, rows in a shard, seconds a batch, and a file to which
the number of texts of each finished batch is appended.
"""

import sys
import time
from pathlib import Path

from langchain_core.documents import Document

from langchain_hfendpoint import EmbeddedDataset
from tests.support.embeddings import HashEmbeddings


def documents(count: int) -> list[Document]:
    """The texts of the job."""
    return [
        Document(f"text {n}", id=str(n), metadata={"split": "test" if n % 4 == 0 else "train"})
        for n in range(count)
    ]


class SlowEmbeddings(HashEmbeddings):
    """Take their time, and keep count in a file."""

    seconds: float
    log: Path

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        time.sleep(self.seconds)
        vectors = super().embed_documents(texts)
        with self.log.open("a") as file:
            file.write(f"{len(texts)}\n")
        return vectors


def main() -> None:
    folder, count, rows_per_shard, seconds, log = sys.argv[1:]
    embeddings = SlowEmbeddings(dimension=8, model="m")
    embeddings.seconds, embeddings.log = float(seconds), Path(log)
    EmbeddedDataset.create(
        documents(int(count)), embeddings, folder, rows_per_shard=int(rows_per_shard)
    )


if __name__ == "__main__":
    main()
