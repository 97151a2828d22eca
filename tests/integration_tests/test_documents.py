"""What README, docs and docstrings show runs, on local servers instead of somebody's accounts.

How the blocks of a page are read is told in `tests/support/documents.py`.
"""

import doctest
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
from aiohttp import web

from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone
from tests.support.commands import Commands
from tests.support.documents import PageRunner, blocks_of, docstrings_of
from tests.support.endpoints_api_server import TOKEN, USER, stand_in_for_hugging_face
from tests.support.hub_push_server import PushHubServer

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MODULES = sorted((ROOT / "langchain_hfendpoint").rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted(DOCS.rglob("*.mdx")), *MODULES]


class Hub(PushHubServer):
    """The Hub, with the account that pages work with."""

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        app.router.add_get("/api/whoami-v2", self._whoami)

    async def _whoami(self, _: web.Request) -> web.Response:
        return web.json_response({"type": "user", "name": USER, "orgs": []})


@pytest.fixture
def hugging_face(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Hugging Face on loopback: the Hub, and the management of Inference Endpoints."""
    with stand_in_for_hugging_face(monkeypatch), Hub(token=TOKEN) as hub:
        constants = huggingface_hub.constants
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(tmp_path / "assets"))
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with nothing of this machine's own configuration."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HUGGING", "PINECONE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HFENDPOINT_HOME", str(tmp_path / "home"))
    empty = tmp_path / "page"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return empty


def _content(page: Path) -> str:
    return docstrings_of(page) if page in MODULES else page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks_of(_content(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_what_a_page_shows_runs_in_order(
    page: Path,
    folder: Path,
    hugging_face: None,
    local_endpoint: LocalEndpoint,
    local_pinecone: LocalPinecone,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_ENDPOINT_URL", local_endpoint.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", local_pinecone.host)
    monkeypatch.setenv("PINECONE_API_KEY", local_pinecone.api_key)
    replaced = {
        "https://<your-endpoint>.endpoints.huggingface.cloud": local_endpoint.url,
        "https://my.endpoints.huggingface.cloud": local_endpoint.url,
        "http://127.0.0.1:8080": local_endpoint.url,
        "from_endpoint(endpoint)": f'from_endpoint(endpoint, endpoint_url="{local_endpoint.url}")',
        'on_exit="delete")': 'on_exit="delete", refresh_every=0.01)',
        'MiniLM-L6-v2"))': 'MiniLM-L6-v2"), refresh_every=0.01)',
        "<your-name>": USER,
        '"stanfordnlp/snli"': '"sample"',
        "50_000": "300",
    }
    commands = Commands(monkeypatch, capsys)
    PageRunner(page.name, _content(page), folder, commands, monkeypatch, replaced).run()


@pytest.mark.parametrize(
    "module",
    [module for module in MODULES if ">>> " in docstrings_of(module)],
    ids=lambda module: module.stem,
)
def test_what_a_docstring_shows_at_a_prompt_is_so(module: Path) -> None:
    dotted = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    result = doctest.testmod(importlib.import_module(dotted))
    assert result.attempted > 0
    assert result.failed == 0
