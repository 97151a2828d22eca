"""Texts to token ids and back, as TEI does it.

The `tokenizers` object is never changed after it is loaded, so that every thread may use it:
truncation is done here, on the ids.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint.errors import LocalServerError


@dataclass(frozen=True, slots=True)
class TextInput:
    """One text to embed, and how it may be cut.

    Attributes:
        content: The text with its prompt, or token ids.
        truncate: Cut it where it is too long; otherwise refuse it.
        from_left: Cut at the beginning.
    """

    content: str | Sequence[int]
    truncate: bool = True
    from_left: bool = False


class TextTokenizer:
    """The tokenizer of a model.

    Args:
        directory: Folder with `tokenizer.json`.
        max_input_length: Tokens a text may have, special tokens included.

    Raises:
        LocalServerError: If there is no usable tokenizer.
        MissingExtraError: If the extra `local` is not installed.
    """

    def __init__(self, directory: Path, *, max_input_length: int) -> None:
        # The model's workers keep all cores busy: more threads would only wait for each other.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        tokenizers = import_extra("tokenizers", "local")
        path = directory / "tokenizer.json"
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:
            raise LocalServerError(f"The tokenizer {path} cannot be read: {error}.") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.max_input_length = max_input_length
        special = self._tokenizer.encode("").ids
        opening = self._tokenizer.encode("a").ids
        self._before = next(
            (i for i, pair in enumerate(zip(special, opening, strict=False)) if pair[0] != pair[1]),
            len(special),
        )
        self._after = len(special) - self._before

    def encode(self, inputs: Sequence[TextInput]) -> list[list[int]]:
        """Turn texts into token ids with special tokens, cut where that is allowed.

        Args:
            inputs: The texts.

        Returns:
            Their ids; longer than `max_input_length` where cutting is not allowed.
        """
        contents = [
            item.content if isinstance(item.content, str) else self.decode(item.content)
            for item in inputs
        ]
        encodings = self._tokenizer.encode_batch_fast(contents)
        encoded = []
        for item, encoding in zip(inputs, encodings, strict=True):
            ids = encoding.ids
            if not isinstance(item.content, str):
                # Given ids carry their special tokens themselves.
                ids = ids[self._before : len(ids) - self._after]
            encoded.append(self._cut(ids, item))
        return encoded

    def tokens(self, text: str, *, add_special_tokens: bool) -> list[dict[str, object]]:
        """Give the tokens of a text, as TEI's `/tokenize` does.

        Args:
            text: The text.
            add_special_tokens: Whether to put special tokens around it.

        Returns:
            For each token its id, its own text, whether it is special, and where it stands in the
            text in bytes (`None` for special tokens).
        """
        encoding = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        # The tokenizer counts characters; TEI answers in bytes.
        at = list(accumulate((len(char.encode()) for char in text), initial=0))
        return [
            {
                "id": number,
                "text": token if special else text[start:end],
                "special": bool(special),
                "start": None if special else at[start],
                "stop": None if special else at[end],
            }
            for number, token, special, (start, end) in zip(
                encoding.ids,
                encoding.tokens,
                encoding.special_tokens_mask,
                encoding.offsets,
                strict=True,
            )
        ]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Turn token ids back into a text."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return text

    def _cut(self, ids: list[int], item: TextInput) -> list[int]:
        excess = len(ids) - self.max_input_length
        if excess <= 0 or not item.truncate:
            return ids
        if not isinstance(item.content, str):
            return ids[excess:] if item.from_left else ids[:-excess]
        end = len(ids) - self._after
        body = ids[self._before : end]
        body = body[excess:] if item.from_left else body[:-excess]
        return ids[: self._before] + body + ids[end:]
