"""Error shapes and limits of Pinecone's protocol.

The control plane and the data plane report errors in different bodies: the first with the name of
a gRPC status code, the second with its number. Limits are those Pinecone documents; error texts
are those its service answers, as users quote them in public issues.
"""

from __future__ import annotations

from typing import Final

import orjson

UNNAMED_NAMESPACE: Final = "__default__"
"""How the namespace `""` is called where a name is needed; both address the same records."""

MAX_REQUEST_BYTES: Final = 2 * 1024 * 1024
MAX_UPSERT_RECORDS: Final = 1_000
MAX_IDS: Final = 1_000
MAX_TOP_K: Final = 10_000
MAX_RESULT_BYTES: Final = 4 * 1024 * 1024
MAX_METADATA_BYTES: Final = 40 * 1024
MAX_ID_CHARACTERS: Final = 512
MAX_NAMESPACE_CHARACTERS: Final = 512
MAX_DIMENSION: Final = 20_000
MAX_SPARSE_VALUES: Final = 1_000
MAX_SPARSE_INDEX: Final = 2**32 - 1
MAX_PAGE: Final = 100
MAX_TAGS: Final = 20

_GRPC_NUMBERS: Final = {
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "FORBIDDEN": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}


class WireError(Exception):
    """A request that is answered with an error; never leaves the server as an exception.

    Attributes:
        status: HTTP status of the answer.
        code: Name of the gRPC status code.
        message: What the client is told.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        # What a client sent may be quoted here, and not every string can be written as JSON.
        self.message = message.encode(errors="replace").decode()

    def control_body(self) -> dict[str, object]:
        """Give the body as the control plane writes it."""
        return {"error": {"code": self.code, "message": self.message}, "status": self.status}

    def data_body(self) -> dict[str, object]:
        """Give the body as the data plane writes it."""
        return {"code": _GRPC_NUMBERS.get(self.code, 2), "message": self.message, "details": []}


def invalid(message: str) -> WireError:
    """Make the answer to a request that breaks a rule."""
    return WireError(400, "INVALID_ARGUMENT", message)


def not_found(message: str) -> WireError:
    """Make the answer to a request for something that is not there."""
    return WireError(404, "NOT_FOUND", message)


def shown(value: object, *, limit: int = 16) -> str:
    """Quote a value in an error text as the service does: its beginning, then three dots."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # nested too deep to be written
        text = "..."
    return text if len(text) <= limit else text[:limit] + "..."
