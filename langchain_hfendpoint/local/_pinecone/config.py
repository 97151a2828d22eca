"""What an index is, apart from its records."""

from __future__ import annotations

from dataclasses import dataclass, field

from langchain_hfendpoint.local._pinecone.search import Metric


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """What an index is, apart from its records.

    Attributes:
        name: Its name.
        metric: How vectors are compared.
        dimension: Numbers in a dense vector; 0 in a sparse index.
        tags: Its tags.
        deletion_protected: Whether it refuses to be deleted.
        cloud: Where it pretends to be.
        region: Where it pretends to be.
    """

    name: str
    metric: Metric
    dimension: int
    tags: dict[str, str] = field(default_factory=dict)
    deletion_protected: bool = False
    cloud: str = "aws"
    region: str = "us-east-1"

    @property
    def sparse(self) -> bool:
        """Whether its vectors are sparse only."""
        return self.dimension == 0
