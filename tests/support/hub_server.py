"""A stand-in for the Hugging Face Hub: data set repositories over its HTTP routes, on loopback.

Enough of the Hub for huggingface_hub and `datasets` to look up, list, resolve and download. The
routes and fields are those that huggingface_hub 2.4 asks for; what it sends is kept in `requests`.
Clients find it by `HF_ENDPOINT`, which they read when they are imported: run them in a process of
their own, with `environment()`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from typing_extensions import Self

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Repository:
    """A data set repository with one commit.

    Attributes:
        name: Such as `"stanfordnlp/snli"`.
        files: Contents by path.
        token: The token without which the repository cannot be seen, if it is private.
    """

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    token: str | None = None

    @property
    def sha(self) -> str:
        """The commit: changes with the files."""
        digest = hashlib.sha1(usedforsecurity=False)
        for path, content in sorted(self.files.items()):
            digest.update(path.encode() + b"\0" + content)
        return digest.hexdigest()

    def knows(self, revision: str) -> bool:
        return revision in {"main", self.sha}


class HubServer:
    """A Hub that runs in a thread of this process while used as a context manager.

    Attributes:
        repositories: What it serves, by name.
        requests: Method and path of every request so far.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stop(self) -> None:
        """Stop answering: the Hub is out of reach."""
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
            self._runner = None

    def add(
        self, name: str, files: Mapping[str, bytes | str], *, token: str | None = None
    ) -> Repository:
        """Put up a data set repository."""
        contents = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }
        repository = self.repositories[name] = Repository(name, contents, token)
        return repository

    def environment(self, home: Path) -> dict[str, str]:
        """Give the variables under which a client uses this Hub, and a cache of its own."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._log], client_max_size=1 << 30)
        self.add_routes(app)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    def add_routes(self, app: web.Application) -> None:
        """Say which requests are answered how."""
        api = "/api/datasets/{name:[^/]+/[^/]+}"
        app.router.add_get(api, self._info)
        app.router.add_get(api + "/revision/{revision}", self._info)
        app.router.add_get(api + "/refs", self._refs)
        app.router.add_get(api + "/tree/{revision}", self._tree)
        app.router.add_get(api + "/tree/{revision}/{path:.*}", self._tree)
        app.router.add_post(api + "/paths-info/{revision}", self._paths_info)
        app.router.add_get(
            "/datasets/{name:[^/]+/[^/]+}/resolve/{revision}/{path:.*}", self._resolve
        )

    @web.middleware
    async def _log(self, request: web.Request, handler: object) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        try:
            return await handler(request)  # type: ignore[operator, no-any-return]
        except web.HTTPException as error:
            self.requests[-1] += f" {error.status}"
            raise

    def _repository(self, request: web.Request) -> Repository:
        repository = self.repositories.get(request.match_info["name"])
        authorization = request.headers.get("Authorization", "")
        if repository is None or (
            repository.token is not None and authorization != f"Bearer {repository.token}"
        ):
            raise _refusal(web.HTTPUnauthorized, "RepoNotFound", "Repository not found")
        if not repository.knows(request.match_info.get("revision", "main")):
            raise _refusal(web.HTTPNotFound, "RevisionNotFound", "Invalid rev id")
        return repository

    async def _info(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        return web.json_response(
            {
                "_id": "0",
                "id": repository.name,
                "sha": repository.sha,
                "private": repository.token is not None,
                "gated": False,
                "disabled": False,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "lastModified": "2026-01-01T00:00:00.000Z",
                "siblings": [{"rfilename": path} for path in sorted(repository.files)],
            }
        )

    async def _refs(self, request: web.Request) -> web.Response:
        sha = self._repository(request).sha
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": sha}
        return web.json_response({"branches": [branch], "tags": [], "converts": []})

    async def _tree(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        folder = request.match_info.get("path", "").strip("/")
        inside = [path for path in sorted(repository.files) if _is_in(path, folder)]
        if not inside and folder:
            raise _refusal(web.HTTPNotFound, "EntryNotFound", "Entry not found")
        if request.query.get("recursive", "").lower() in {"true", "1"}:
            entries = [_file(repository, path) for path in inside]
        else:
            depth = len(folder) + 1 if folder else 0
            names = dict.fromkeys(path[depth:].split("/")[0] for path in inside)
            full = [f"{folder}/{name}" if folder else name for name in names]
            entries = [_entry(repository, path) for path in full]
        return web.json_response(entries)

    async def _paths_info(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        if request.content_type == "application/json":
            asked = (await request.json())["paths"]
        else:
            asked = (await request.post()).getall("paths", [])
        there = [str(path) for path in ([asked] if isinstance(asked, str) else asked)]
        known = [p for p in there if any(_is_in(path, p) for path in repository.files)]
        return web.json_response([_entry(repository, path) for path in known])

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        repository = self._repository(request)
        content = repository.files.get(request.match_info["path"])
        if content is None:
            raise _refusal(web.HTTPNotFound, "EntryNotFound", "Entry not found")
        headers = {
            "ETag": f'"{_oid(content)}"',
            "X-Repo-Commit": repository.sha,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        status, part = 200, content
        if wanted := _RANGE.fullmatch(request.headers.get("Range", "")):
            first = int(wanted[1])
            last = min(int(wanted[2]) if wanted[2] else len(content) - 1, len(content) - 1)
            status, part = 206, content[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        headers["Content-Length"] = str(len(part))
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        await response.write(part)
        return response


def _refusal(
    kind: type[web.HTTPUnauthorized | web.HTTPNotFound], code: str, message: str
) -> web.HTTPException:
    return kind(
        text=json.dumps({"error": message}),
        content_type="application/json",
        headers={"X-Error-Code": code, "X-Error-Message": message},
    )


def _is_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _entry(repository: Repository, path: str) -> dict[str, object]:
    if path in repository.files:
        return _file(repository, path)
    return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}


def _file(repository: Repository, path: str) -> dict[str, object]:
    content = repository.files[path]
    return {"type": "file", "oid": _oid(content), "size": len(content), "path": path}


def _oid(content: bytes) -> str:
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
