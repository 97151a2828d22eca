"""The record manager as the pipeline sees it: awaitable, whichever of its two faces is used."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Protocol, Union, runtime_checkable

from langchain_core.indexing import RecordManager

from langchain_hfendpoint._indexing.calls import Calls


@runtime_checkable
class RemembersContent(Protocol):
    """A record manager that finds documents by their text's hash (`SQLiteRecordManager` does)."""

    def update(
        self,
        keys: Sequence[str],
        *,
        group_ids: Sequence[str | None] | None = None,
        time_at_least: float | None = None,
        contents: Sequence[bytes] | None = None,
    ) -> None:
        """Record documents as indexed now."""

    async def aupdate(
        self,
        keys: Sequence[str],
        *,
        group_ids: Sequence[str | None] | None = None,
        time_at_least: float | None = None,
        contents: Sequence[bytes] | None = None,
    ) -> None:
        """Record documents as indexed now."""

    def keys_by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find documents that have the same text."""

    async def akeys_by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find documents that have the same text."""

    def refresh(
        self, keys: Sequence[str], *, group_ids: Sequence[str | None], time_at_least: float
    ) -> list[bool]:
        """Tell which keys are recorded, and record those as indexed now."""

    async def arefresh(
        self, keys: Sequence[str], *, group_ids: Sequence[str | None], time_at_least: float
    ) -> list[bool]:
        """Tell which keys are recorded, and record those as indexed now."""


class SyncRecords:
    """Uses a record manager's blocking methods.

    Attributes:
        writes: How many calls have changed the records.
        takes_any_number: Whether one call may name any number of keys; of others it is not known,
            and databases have limits.
    """

    def __init__(self, manager: RecordManager, calls: Calls) -> None:
        self.writes = 0
        self.takes_any_number = isinstance(manager, RemembersContent)
        self._manager = manager
        self._calls = calls

    async def time(self) -> float:
        """Give its clock."""
        return await self._calls(self._manager.get_time)

    async def look_up(
        self,
        keys: Sequence[str],
        groups: Sequence[str | None],
        *,
        time_at_least: float,
        refresh: bool,
    ) -> list[bool]:
        """Tell which keys are recorded, and with `refresh` record those as seen now."""
        manager = self._manager

        def both() -> list[bool]:
            if refresh and isinstance(manager, RemembersContent):
                return manager.refresh(keys, group_ids=groups, time_at_least=time_at_least)
            known = manager.exists(keys)
            if refresh and any(known):
                manager.update(
                    list(compress(keys, known)),
                    group_ids=list(compress(groups, known)),
                    time_at_least=time_at_least,
                )
            return known

        known = await self._calls(both) if keys else []
        self.writes += refresh and any(known)
        return known

    async def update(
        self,
        keys: Sequence[str],
        groups: Sequence[str | None],
        *,
        time_at_least: float,
        contents: Sequence[bytes] | None = None,
    ) -> None:
        """Record keys as indexed now."""
        self.writes += 1
        manager = self._manager
        if contents is not None and isinstance(manager, RemembersContent):
            await self._calls(
                lambda: manager.update(
                    keys, group_ids=groups, time_at_least=time_at_least, contents=contents
                )
            )
        else:
            await self._calls(
                lambda: manager.update(keys, group_ids=groups, time_at_least=time_at_least)
            )

    async def outdated(
        self, groups: Sequence[str] | None, *, before: float, limit: int | None
    ) -> list[str]:
        """List keys that were last recorded before a time."""
        return await self._calls(
            lambda: self._manager.list_keys(group_ids=groups, before=before, limit=limit)
        )

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget keys."""
        self.writes += 1
        await self._calls(lambda: self._manager.delete_keys(keys))

    async def by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find keys by the hash of their text, where the manager knows it."""
        manager = self._manager
        if not contents or not isinstance(manager, RemembersContent):
            return {}
        return await self._calls(lambda: manager.keys_by_content(contents))


class AsyncRecords:
    """Uses a record manager's async methods, on the loop it belongs to.

    Attributes:
        writes: How many calls have changed the records.
        takes_any_number: Whether one call may name any number of keys; of others it is not known,
            and databases have limits.
    """

    def __init__(self, manager: RecordManager) -> None:
        self.writes = 0
        self.takes_any_number = isinstance(manager, RemembersContent)
        self._manager = manager

    async def time(self) -> float:
        """Give its clock."""
        return await self._manager.aget_time()

    async def look_up(
        self,
        keys: Sequence[str],
        groups: Sequence[str | None],
        *,
        time_at_least: float,
        refresh: bool,
    ) -> list[bool]:
        """Tell which keys are recorded, and with `refresh` record those as seen now."""
        if refresh and keys and isinstance(self._manager, RemembersContent):
            known = await self._manager.arefresh(
                keys, group_ids=groups, time_at_least=time_at_least
            )
        else:
            known = await self._manager.aexists(keys) if keys else []
            if refresh and any(known):
                await self._manager.aupdate(
                    list(compress(keys, known)),
                    group_ids=list(compress(groups, known)),
                    time_at_least=time_at_least,
                )
        self.writes += refresh and any(known)
        return known

    async def update(
        self,
        keys: Sequence[str],
        groups: Sequence[str | None],
        *,
        time_at_least: float,
        contents: Sequence[bytes] | None = None,
    ) -> None:
        """Record keys as indexed now."""
        self.writes += 1
        manager = self._manager
        if contents is not None and isinstance(manager, RemembersContent):
            await manager.aupdate(
                keys, group_ids=groups, time_at_least=time_at_least, contents=contents
            )
        else:
            await manager.aupdate(keys, group_ids=groups, time_at_least=time_at_least)

    async def outdated(
        self, groups: Sequence[str] | None, *, before: float, limit: int | None
    ) -> list[str]:
        """List keys that were last recorded before a time."""
        return await self._manager.alist_keys(group_ids=groups, before=before, limit=limit)

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget keys."""
        self.writes += 1
        await self._manager.adelete_keys(keys)

    async def by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find keys by the hash of their text, where the manager knows it."""
        if not contents or not isinstance(self._manager, RemembersContent):
            return {}
        return await self._manager.akeys_by_content(contents)


Records = Union[SyncRecords, AsyncRecords]  # noqa: UP007 (at run time)
