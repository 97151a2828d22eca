"""Optional dependencies: imported where they are used, asked for in one sentence."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Literal

from langchain_hfendpoint.errors import MissingExtraError

Extra = Literal["pinecone", "datasets", "local", "bench"]


def import_extra(module: str, extra: Extra) -> ModuleType:
    """Import a module that belongs to an extra.

    Args:
        module: Dotted name of the module.
        extra: The extra of this package that brings it.

    Returns:
        The module.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"This needs the package {module.split('.', maxsplit=1)[0]!r} ({error}). "
            f"Install it with: pip install 'langchain-hfendpoint[{extra}]'"
        ) from error
