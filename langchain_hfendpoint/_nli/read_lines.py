r"""Lines of text with their numbers: where encodings go wrong, and where that is said.

Lines end at `\n` alone: the other characters that Python's `str.splitlines` splits at (such as
U+2028) occur inside sentences.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO

from langchain_hfendpoint._nli.batch import OnBroken
from langchain_hfendpoint.errors import BrokenRowError, ConfigurationError, DataError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def numbered_lines(
    stream: IO[bytes], *, origin: str, encoding: str, on_broken: OnBroken
) -> Iterator[tuple[int, str]]:
    """Read lines of text, without their ends.

    Args:
        stream: The bytes.
        origin: The file, for messages.
        encoding: How they are encoded.
        on_broken: Told of each line that is not in that encoding.

    Yields:
        The number of the line, from 1, and the line.

    Raises:
        ConfigurationError: If the encoding is unknown.
        DataError: If the file tells itself to be of another encoding.
    """
    try:
        narrow = "\n".encode(encoding) == b"\n"
    except LookupError as error:
        raise ConfigurationError(f"encoding={encoding!r}: {error}.") from error
    for number, line in enumerate(_lines(stream, origin, encoding, narrow=narrow), start=1):
        if number == 1 and narrow:
            _refuse_wide(line, origin, encoding)
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            on_broken(
                BrokenRowError(
                    f"{origin}, line {number}: not {encoding} (byte 0x{line[error.start]:02x} at "
                    f"column {error.start + 1}). If it is of another encoding, say encoding='...'."
                )
            )
            continue
        if number == 1:
            text = text.removeprefix("\ufeff")
        yield number, text.rstrip("\r\n")


def _lines(stream: IO[bytes], origin: str, encoding: str, *, narrow: bool) -> Iterator[bytes]:
    if narrow:
        yield from stream
        return
    # In UTF-16 and UTF-32 the byte of `\n` is no line end by itself.
    try:
        whole = stream.read().decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{origin}: not {encoding} ({error.reason}, byte {error.start})."
        ) from error
    for line in whole.split("\n"):
        yield line.encode(encoding)


def _refuse_wide(line: bytes, origin: str, encoding: str) -> None:
    wide = next((name for mark, name in _MARKS if line.startswith(mark)), None)
    if wide is not None:
        raise DataError(f"{origin}: it is {wide}, not {encoding}. Say encoding={wide!r}.")
    if b"\x00" in line:
        raise DataError(f"{origin}: line 1 has zero bytes in it; this is no text file.")
