"""A data set on the Hugging Face Hub, opened through `datasets`.

`datasets` knows configurations, splits, formats and its cache. What it does not do is say soon
that the Hub is out of reach: it repeats requests for minutes. So the Hub is asked once, briefly,
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
from pydantic import SecretStr

from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint.errors import DataError, HubUnreachableError

if TYPE_CHECKING:
    import datasets

    Opened: TypeAlias = "datasets.Dataset | datasets.IterableDataset"

_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class HubDataset:
    """What to open on the Hub.

    Attributes:
        repository: Id such as `"stanfordnlp/snli"`.
        configuration: Which of its configurations, if it has several.
        split: Which split.
        revision: Branch, tag or commit; the default branch if `None`.
        streaming: Whether to read over the network as one goes, or to download first.
        token: For data sets that are not public; else the one of `hf auth login` or `HF_TOKEN`.
    """

    repository: str
    configuration: str | None
    split: str
    revision: str | None
    streaming: bool
    token: SecretStr | None

    def open(self) -> Opened:
        """Open it as a `datasets.Dataset` or `IterableDataset`.

        Raises:
            HubUnreachableError: If the Hub does not answer within seconds and the data set is not
                in the local cache.
            DataError: If there is no such data set, revision, configuration or split, or it
                cannot be read.
            MissingExtraError: If `datasets` is not installed.
        """
        datasets = import_extra("datasets", "datasets")
        unreachable = self._ask()
        try:
            if unreachable is not None:
                return self._from_cache(unreachable)
            return datasets.load_dataset(
                self.repository,
                self.configuration,
                split=self.split,
                revision=self.revision,
                streaming=self.streaming,
                token=self._token,
            )
        except HubUnreachableError:
            raise
        except (OSError, ValueError, httpx.HTTPError) as error:
            raise DataError(f"{self.repository}: {error}") from error

    @property
    def _token(self) -> str | None:
        return None if self.token is None else self.token.get_secret_value()

    def _from_cache(self, unreachable: HubUnreachableError) -> Opened:
        """Open what `datasets` has downloaded before, without the retries it would make first."""
        cache = import_extra("datasets.packaged_modules.cache.cache", "datasets")
        try:
            builder = cache.Cache(
                repo_id=self.repository,
                dataset_name=self.repository.rsplit("/", maxsplit=1)[-1],
                config_name=self.configuration,
                version="auto",
                hash="auto",
            )
        except ValueError as error:
            raise unreachable from error
        # The cache knows commits, not what branches and tags point to.
        if self.revision not in {None, "main", builder.hash}:
            raise unreachable
        return builder.as_dataset(split=self.split)

    def _ask(self) -> HubUnreachableError | None:
        """Ask the Hub for the data set; give the error if it does not answer."""
        try:
            HfApi().dataset_info(
                self.repository, revision=self.revision, timeout=_PATIENCE, token=self._token
            )
        except HFValidationError as error:
            raise DataError(
                f"{self.repository!r} is neither a file nor the id of a data set on the Hub."
            ) from error
        except RevisionNotFoundError as error:
            raise DataError(f"{self.repository} has no revision {self.revision!r}.") from error
        except RepositoryNotFoundError as error:
            raise DataError(
                f"The Hub has no data set {self.repository!r} that you may read. If it is a file, "
                "it does not exist; if it is private, log in with `hf auth login` or give api_key."
            ) from error
        except OfflineModeIsEnabled:
            return HubUnreachableError(
                f"{self.repository} is not in the local cache, and HF_HUB_OFFLINE forbids asking "
                "the Hub. Unset it, or load a local file or 'sample'."
            )
        except (httpx.HTTPError, OSError) as error:
            return HubUnreachableError(
                f"The Hugging Face Hub cannot be reached ({_short(error)}), and {self.repository} "
                "is not in the local cache. Check the network, or load a local file or 'sample'."
            )
        return None


def _short(error: Exception) -> str:
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def split_rows(dataset: Opened) -> int | None:
    """Tell how many rows an opened data set has, if it says so without being read."""
    datasets = import_extra("datasets", "datasets")
    if isinstance(dataset, datasets.Dataset):
        return len(dataset)
    splits = getattr(getattr(dataset, "info", None), "splits", None)
    split = str(getattr(dataset, "split", ""))
    if not isinstance(splits, Mapping) or split not in splits:
        return None
    rows = splits[split].num_examples
    return int(rows) if rows else None
