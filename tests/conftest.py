"""Fixtures for all tests: where the shared data lie, and how cassettes are kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from vcr.request import Request

# A machine that is busy with something else must not fail a test.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real NLI data beside the project; tests that need it are skipped without it."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip("needs the real data in ../shared/data, which this machine does not have")
    return data


@pytest.fixture(scope="session")
def shared_specs() -> Path:
    """Pinecone's published API descriptions; tests that need them are skipped without them."""
    specs = SHARED / "specs"
    if not specs.is_dir():
        pytest.skip("needs Pinecone's API descriptions in ../shared/specs")
    return specs


def _as_json(body: object) -> object:
    if isinstance(body, (bytes, bytearray, str)):
        try:
            return json.loads(body)
        except ValueError:
            return body.encode() if isinstance(body, str) else bytes(body)
    return body


def _same_json_body(played: Request, recorded: Request) -> None:
    assert _as_json(played.body) == _as_json(recorded.body)


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    """Cassettes hold no secret and match on the body too, so that no old vector is replayed."""
    return {
        "filter_headers": [
            ("authorization", "PLACEHOLDER"),
            ("api-key", "PLACEHOLDER"),
            ("cookie", None),
        ],
        "match_on": ["method", "scheme", "host", "port", "path", "query", "json_body"],
        "decode_compressed_response": True,
    }


@pytest.fixture(scope="module")
def vcr(vcr: Any) -> Any:
    """pytest-vcr's recorder, taught to compare JSON bodies (aiohttp hands it dictionaries)."""
    vcr.register_matcher("json_body", _same_json_body)
    return vcr


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """One folder of cassettes a test module, so that equal test names do not collide."""
    path = request.node.path
    return str(path.parent / "cassettes" / path.stem)
