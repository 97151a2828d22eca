"""The writing half of the Hub's stand-in: create a repository, upload, commit.

Routes and fields are those that huggingface_hub 2.4 asks for with Xet switched off: what is to be
uploaded how, the Git LFS batch API, uploads of whole objects, and commits as lines of JSON. Large
objects are stored apart from commits, as on the Hub, so that an interrupted push leaves them there.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json

from aiohttp import web

from tests.support.hub_server import HubServer, Repository

_LARGE_SUFFIXES = (".parquet",)


class PushHubServer(HubServer):
    """A Hub that can be pushed to.

    Attributes:
        token: The token that may write.
        objects: Large objects by SHA-256, whether a commit names them or not.
        uploads: SHA-256 of each large object that was really sent.
        commits: Repository and message of each commit.
        committed: Paths that each commit wrote.
        stores: How many large objects it stores before it keeps all others waiting, if not all.
        refuses: What the Hub says to any commit, if it refuses them.
    """

    def __init__(self, *, token: str = "hf_stand_in") -> None:
        super().__init__()
        self.token = token
        self.objects: dict[str, bytes] = {}
        self.uploads: list[str] = []
        self.commits: list[tuple[str, str]] = []
        self.committed: list[set[str]] = []
        self.stores: int | None = None
        self.refuses: str | None = None
        self._history: dict[tuple[str, str], Repository] = {}

    def add_routes(self, app: web.Application) -> None:
        super().add_routes(app)
        api = "/api/datasets/{name:[^/]+/[^/]+}"
        app.router.add_post("/api/repos/create", self._create)
        app.router.add_post("/api/validate-yaml", self._validate_yaml)
        app.router.add_post(api + "/preupload/{revision}", self._preupload)
        app.router.add_post(api + "/commit/{revision}", self._commit)
        app.router.add_post(
            "/datasets/{name:[^/]+/[^/]+}.git/info/lfs/objects/batch", self._lfs_batch
        )
        app.router.add_put("/lfs/{oid}", self._lfs_upload)

    def _repository(self, request: web.Request) -> Repository:
        key = request.match_info["name"], request.match_info.get("revision", "main")
        return self._history.get(key) or super()._repository(request)

    def _may_write(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPForbidden(
                text='{"error": "Forbidden: you need a token that may write"}',
                content_type="application/json",
            )

    async def _create(self, request: web.Request) -> web.Response:
        self._may_write(request)
        asked = await request.json()
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if name in self.repositories:
            return web.json_response({"error": "You already created this dataset repo"}, status=409)
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.add(name, {".gitattributes": ""}, token=self.token if private else None)
        return web.json_response({"url": f"{self.url}/datasets/{name}", "name": name})

    async def _validate_yaml(self, _request: web.Request) -> web.Response:
        return web.json_response({"errors": [], "warnings": []})

    async def _preupload(self, request: web.Request) -> web.Response:
        self._may_write(request)
        repository = self._repository(request)
        return web.json_response(
            {
                "files": [
                    {
                        "path": asked["path"],
                        "uploadMode": "lfs" if _is_large(asked["path"]) else "regular",
                        "shouldIgnore": False,
                        "oid": _oid(asked["path"], repository.files.get(asked["path"])),
                    }
                    for asked in (await request.json())["files"]
                ]
            }
        )

    async def _lfs_batch(self, request: web.Request) -> web.Response:
        self._may_write(request)
        answers = []
        for asked in (await request.json())["objects"]:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.objects:
                answer["actions"] = {"upload": {"href": f"{self.url}/lfs/{asked['oid']}"}}
            answers.append(answer)
        return web.json_response({"transfer": "basic", "objects": answers})

    async def _lfs_upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        while self.stores is not None and len(self.uploads) >= self.stores:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if request.transport is None:
            raise web.HTTPBadRequest  # whoever sent it has gone
        oid = request.match_info["oid"]
        if hashlib.sha256(content).hexdigest() != oid:
            raise web.HTTPBadRequest
        self.objects[oid] = content
        self.uploads.append(oid)
        return web.Response()

    async def _commit(self, request: web.Request) -> web.Response:
        self._may_write(request)
        if self.refuses is not None:
            return web.json_response({"error": self.refuses}, status=400)
        repository = self._repository(request)
        files = dict(repository.files)
        message, paths = "", set()
        for line in (await request.text()).splitlines():
            entry = json.loads(line)
            value = entry["value"]
            match entry["key"]:
                case "header":
                    message = value["summary"]
                case "file":
                    paths.add(value["path"])
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    paths.add(value["path"])
                    files[value["path"]] = self.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        self._history[repository.name, repository.sha] = Repository(
            repository.name, repository.files, repository.token
        )
        repository.files = files
        self.commits.append((repository.name, message))
        self.committed.append(paths)
        return web.json_response(
            {
                "success": True,
                "commitOid": repository.sha,
                "commitUrl": f"{self.url}/datasets/{repository.name}/commit/{repository.sha}",
            }
        )


def _is_large(path: str) -> bool:
    return path.endswith(_LARGE_SUFFIXES)


def _oid(path: str, content: bytes | None) -> str | None:
    """What the Hub calls a file: SHA-256 of a large one, Git's SHA-1 of others."""
    if content is None:
        return None
    if _is_large(path):
        return hashlib.sha256(content).hexdigest()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
