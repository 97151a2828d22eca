"""To the Hub and back: one commit there, a checked copy here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from pydantic import SecretStr

from langchain_hfendpoint._hub.card import REPO_PLACEHOLDER
from langchain_hfendpoint._hub.layout import CARD, DATA, MANIFEST
from langchain_hfendpoint._hub.manifest import Manifest, read_manifest
from langchain_hfendpoint.errors import DataError, EmbeddedDatasetError, HubUnreachableError

# The Hub takes 25,000 files in a commit, but answers no later than its proxies' time limit.
_FILES_PER_COMMIT = 1_000
_KIND = "dataset"


@dataclass(frozen=True, slots=True)
class _Remote:
    """What the Hub has now."""

    files: frozenset[str]
    shards: frozenset[str]


def download(repo_id: str, *, revision: str | None, api_key: SecretStr | str | None) -> Path:
    """Download an embedded data set, or what of it is not in the Hub's cache yet.

    Args:
        repo_id: Repository.
        revision: Branch, tag or commit; the default branch if `None`.
        api_key: Token; else the one of `hf auth login` or `HF_TOKEN`.

    Returns:
        A folder in the Hub's cache.

    Raises:
        EmbeddedDatasetError: If it holds no embedded data set.
        HubUnreachableError: If the Hub does not answer, and it is not in the cache.
        DataError: If there is no such repository or revision, or it may not be read.
    """
    api = _api(api_key)

    def fetch(patterns: list[str], *, commit: str | None) -> Path:
        return Path(
            api.snapshot_download(
                repo_id, repo_type=_KIND, revision=commit, allow_patterns=patterns
            )
        )

    with _explained(repo_id, revision):
        # The manifest first: without one, there is no use in downloading anything else.
        folder = fetch([MANIFEST], commit=revision)
        if not (folder / MANIFEST).exists():
            raise EmbeddedDatasetError(
                f"{repo_id} is no embedded data set: it has no {MANIFEST}. For other data sets, "
                "use `datasets.load_dataset` and `EmbeddedDataset.create`."
            )
        paths = [shard.path for shard in read_manifest(folder).shards]
        # The cache names a folder by its commit, so both come from the same one.
        return fetch([CARD, *paths], commit=folder.name)


def push(
    folder: Path,
    manifest: Manifest,
    repo_id: str,
    *,
    private: bool,
    api_key: SecretStr | str | None,
    message: str,
) -> str:
    """Make a repository hold what a folder holds.

    Args:
        folder: The folder.
        manifest: Its manifest.
        repo_id: Repository; created if it does not exist.
        private: Whether only its owner may see it.
        api_key: Token; else the one of `hf auth login` or `HF_TOKEN`.
        message: Commit message.

    Returns:
        The commit.

    Raises:
        HubUnreachableError: If the Hub does not answer.
        DataError: If it refuses.
        EmbeddedDatasetError: If the repository is public though `private` is asked for, or holds
            data of somebody else.
    """
    api = _api(api_key)
    with _explained(repo_id, None):
        remote = _prepare(api, repo_id, private=private)
        paths = [shard.path for shard in manifest.shards]
        strangers = sorted(
            name
            for name in remote.files - remote.shards - set(paths)
            if name.startswith(f"{DATA}/") and name.endswith(".parquet")
        )
        if strangers:
            raise EmbeddedDatasetError(
                f"{repo_id} holds {strangers[0]!r}, which is not part of an embedded data set. "
                "Push to another repository, or delete the file there."
            )
        # Card and manifest come last, so that half a push is never taken for a data set.
        while len(paths) > _FILES_PER_COMMIT:
            some, paths = paths[:_FILES_PER_COMMIT], paths[_FILES_PER_COMMIT:]
            _commit(api, repo_id, [_add(folder, path) for path in some], message)
        card = (folder / CARD).read_text(encoding="utf-8").replace(REPO_PLACEHOLDER, repo_id)
        stale = remote.shards & remote.files - {shard.path for shard in manifest.shards}
        return _commit(
            api,
            repo_id,
            [
                *(CommitOperationDelete(path) for path in sorted(stale)),
                *(_add(folder, path) for path in paths),
                CommitOperationAdd(CARD, card.encode()),
                _add(folder, MANIFEST),
            ],
            message,
        )


def _prepare(api: HfApi, repo_id: str, *, private: bool) -> _Remote:
    """Create the repository, or look at what is in it."""
    try:
        info = api.dataset_info(repo_id)
    except RepositoryNotFoundError:
        api.create_repo(repo_id, repo_type=_KIND, private=private, exist_ok=True)
        return _Remote(frozenset(), frozenset())
    if private and not info.private:
        raise EmbeddedDatasetError(
            f"{repo_id} exists already and is public. Pass private=False (--public) if that is "
            "meant, or push to another repository."
        )
    files = frozenset(sibling.rfilename for sibling in info.siblings or ())
    if MANIFEST not in files:
        return _Remote(files, frozenset())
    path = api.hf_hub_download(repo_id, MANIFEST, repo_type=_KIND, revision=info.sha)
    try:
        before = Manifest.from_json(Path(path).read_bytes())
    except ValueError:
        return _Remote(files, frozenset())
    return _Remote(files, frozenset(shard.path for shard in before.shards))


def _add(folder: Path, path: str) -> CommitOperationAdd:
    return CommitOperationAdd(path, str(folder / path))


def _commit(
    api: HfApi,
    repo_id: str,
    operations: Sequence[CommitOperationAdd | CommitOperationDelete],
    message: str,
) -> str:
    commit = api.create_commit(
        repo_id, operations, commit_message=message, repo_type=_KIND, num_threads=4
    )
    return str(commit.oid)


@contextmanager
def _explained(repo_id: str, revision: str | None) -> Iterator[None]:
    """Turn the client's exceptions into this package's, in a sentence or two."""
    try:
        yield
    except RevisionNotFoundError as error:
        raise DataError(f"{repo_id} has no revision {revision!r}.") from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"The Hub has no data set {repo_id!r} that you may read or write. If it is private, "
            "log in with `hf auth login`, or give api_key= a token that may."
        ) from error
    except (HFValidationError, LocalTokenNotFoundError) as error:
        raise DataError(f"{repo_id}: {error}") from error
    except OfflineModeIsEnabled as error:
        raise HubUnreachableError(
            f"{repo_id} needs the Hub, and HF_HUB_OFFLINE forbids asking it. Unset it."
        ) from error
    except HfHubHTTPError as error:
        raise DataError(f"The Hub refused a request for {repo_id}: {error}") from error
    except (httpx.HTTPError, LocalEntryNotFoundError, ConnectionError, TimeoutError) as error:
        reason = str(error).strip().split("\n")[0]
        raise HubUnreachableError(
            f"The Hugging Face Hub cannot be reached for {repo_id} ({reason}). Check the network "
            "and run the same again: what is there already is not transferred twice."
        ) from error


def _api(api_key: SecretStr | str | None) -> HfApi:
    return HfApi(token=api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key)
