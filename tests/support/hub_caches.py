"""How huggingface_hub, in this process, is given a stand-in for the Hub and caches of its own."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from huggingface_hub import cached_assets_path, constants

from langchain_hfendpoint._hub import matrix
from tests.support.hub_push_server import PushHubServer


def use_hub(server: PushHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub take a server for the Hub, with a token that may write."""
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", server.token)


class Caches:
    """Gives huggingface_hub an empty cache, and a new one whenever it is asked to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._count = 0
        own = functools.partial(cached_assets_path, assets_dir=folder / "assets")
        monkeypatch.setattr(matrix, "cached_assets_path", own)
        self.new()

    def new(self) -> None:
        """Forget what has been downloaded."""
        self._count += 1
        cache = str(self._folder / str(self._count))
        self._monkeypatch.setattr(constants, "HF_HUB_CACHE", cache)
