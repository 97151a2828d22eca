"""The manifest, `embedding.json`: how the vectors were made, of what, and each file's checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from langchain_hfendpoint._checksum import checksum
from langchain_hfendpoint._hub.encoding import Dtype, check_dtype
from langchain_hfendpoint._hub.layout import DATA, MANIFEST, shard_files, write_atomically
from langchain_hfendpoint._hub.shards import FailedText, ShardHeader, read_header
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import ConfigurationError, EmbeddedDatasetError

_FORMAT = "langchain-hfendpoint/embedded-dataset"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """What was embedded; `None` means "not known".

    Attributes:
        name: Data set, as a Hub id or in words.
        revision: Its commit on the Hub.
        license: Its license, as an identifier of the Hub (such as `"cc-by-sa-4.0"`). The embedded
            data set holds its texts, and so stands under the same.
    """

    name: str | None = None
    revision: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file.

    Attributes:
        path: Its path in the folder.
        split: The split it belongs to.
        start: Position of its first row in the split's source.
        rows: Number of rows.
        bytes: Its size.
        sha256: Its checksum, in hexadecimal.
        failed: Texts in its range that have no row.
    """

    path: str
    split: str
    start: int
    rows: int
    bytes: int
    sha256: str
    failed: tuple[FailedText, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is known of an embedded data set.

    Attributes:
        provenance: How the vectors were made.
        dtype: How they are stored.
        origin: What was embedded.
        embedded_with: Who made the vectors: class of the embeddings, and what the endpoint was.
        shards: The files, sorted by split and position.
    """

    provenance: Provenance
    dtype: Dtype
    origin: Origin
    embedded_with: str
    shards: tuple[Shard, ...]

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split."""
        rows: dict[str, int] = {}
        for shard in self.shards:
            rows[shard.split] = rows.get(shard.split, 0) + shard.rows
        return rows

    @property
    def failed(self) -> tuple[FailedText, ...]:
        """Texts that have no row, because the endpoint refused them."""
        return tuple(failed for shard in self.shards for failed in shard.failed)

    @property
    def fingerprint(self) -> str:
        """Checksum of the whole data set: equal if and only if every byte of every shard is."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def shards_of(self, split: str | None) -> list[Shard]:
        """Give the shards of a split, or all of them.

        Raises:
            ConfigurationError: If there is no such split.
        """
        shards = [shard for shard in self.shards if split in (None, shard.split)]
        if not shards:
            raise ConfigurationError(f"There is no split {split!r}, only {', '.join(self.splits)}.")
        return shards

    def only_split(self, split: str | None) -> str:
        """Give the split that is named, or the only one there is.

        Raises:
            ConfigurationError: If there is no such split, or several and none is named.
        """
        if split is None and len(self.splits) > 1:
            raise ConfigurationError(f"Name a split: there are {', '.join(self.splits)}.")
        return self.shards_of(split)[0].split

    def to_json(self) -> bytes:
        """Write it down."""
        content = {"format": _FORMAT, "version": _VERSION, **asdict(self), "splits": self.splits}
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read it back.

        Raises:
            ValueError: If it is none, or of a newer format.
        """
        try:
            content = orjson.loads(text)
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r}")
            if content["version"] != _VERSION:
                raise ValueError(
                    f"it has version {content['version']}, and this release reads {_VERSION}; "
                    "upgrade langchain-hfendpoint"
                )
            return cls(
                provenance=Provenance(**content["provenance"]),
                dtype=check_dtype(content["dtype"]),
                origin=Origin(**content["origin"]),
                embedded_with=content["embedded_with"],
                shards=tuple(_shard(fields) for fields in content["shards"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{error} is missing or wrong") from error


def _shard(fields: Mapping[str, Any]) -> Shard:
    failed = tuple(FailedText(**text) for text in fields["failed"])
    shard = Shard(**{**fields, "failed": failed})
    if Path(shard.path).parent != Path(DATA) or Path(shard.path).is_absolute():
        raise ValueError(f"it names a shard outside of {DATA}/: {shard.path!r}")
    return shard


def describe_shard(folder: Path, path: Path, header: ShardHeader) -> Shard:
    """Make a manifest's entry of a shard, reading it to its end for the checksum."""
    return Shard(
        path=path.relative_to(folder).as_posix(),
        split=header.split,
        start=header.start,
        rows=header.rows,
        bytes=path.stat().st_size,
        sha256=checksum(path),
        failed=header.failed,
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which says that the data set is complete."""
    write_atomically(folder / MANIFEST, lambda path: _write(path, manifest.to_json()))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Args:
        folder: The folder.

    Returns:
        The manifest.

    Raises:
        EmbeddedDatasetError: If there is none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        return Manifest.from_json(path.read_bytes())
    except FileNotFoundError as error:
        found = (
            "It holds shards, so embedding was interrupted: run it again to its end."
            if shard_files(folder)
            else "It is no embedded data set."
        )
        raise EmbeddedDatasetError(f"There is no {MANIFEST} in {folder}. {found}") from error
    except ValueError as error:
        raise EmbeddedDatasetError(f"{path} cannot be read: {error}.") from error


def verify(folder: Path, manifest: Manifest, *, checksums: bool) -> None:
    """Compare a folder with its manifest.

    Args:
        folder: The folder.
        manifest: Its manifest.
        checksums: Whether to read every shard to its end; else only sizes and footers are compared.

    Raises:
        EmbeddedDatasetError: If a shard is missing, damaged, or not part of it.
    """
    strangers = {path.name for path in shard_files(folder)}
    strangers -= {Path(shard.path).name for shard in manifest.shards}
    if strangers:
        raise EmbeddedDatasetError(
            f"{folder / DATA} holds {min(strangers)!r}, which is not part of this data set "
            f"({len(strangers)} such files). Move it away."
        )
    for shard in manifest.shards:
        path = folder / shard.path
        if not path.exists():
            raise _not_whole(path, "it is missing")
        if (size := path.stat().st_size) != shard.bytes:
            raise _not_whole(path, f"it has {size:,} bytes instead of {shard.bytes:,}")
        if checksums and checksum(path) != shard.sha256:
            raise _not_whole(path, "its checksum is another one")
        header = read_header(path)
        if header.rows != shard.rows:
            raise _not_whole(path, f"it has {header.rows:,} rows instead of {shard.rows:,}")
        if header.dtype != manifest.dtype or header.provenance.differences(manifest.provenance):
            raise _not_whole(
                path,
                f"its vectors are {header.dtype} by {header.provenance}, and the manifest says "
                f"{manifest.dtype} by {manifest.provenance}",
            )


def _not_whole(path: Path, why: str) -> EmbeddedDatasetError:
    return EmbeddedDatasetError(
        f"The shard {path} is not the one that was written: {why}. Download the data set again, or "
        "delete the shard and run the embedding again, which embeds only its rows."
    )


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
