"""The Hugging Face token: is it there, is it accepted, and what may it do?

`whoami-v2` tells a token's role: `read`, `write`, or `fineGrained` with a list of permissions, of
which calling an Inference Endpoint needs `inference.endpoints.infer.write`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from huggingface_hub import constants, get_session, get_token
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # httpx, since 2.0 httpx2

from langchain_hfendpoint._doctor.verdicts import Verdict, ok, problem, skipped, warning
from langchain_hfendpoint._engine.tokens import TOKEN_VARIABLES, token_from_environment

_LOGIN = "hf auth login"
_CALL = "inference.endpoints.infer.write"
_SECONDS = 10.0
_SETTINGS = "huggingface.co/settings/tokens"


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What is known of the token, without the token.

    Attributes:
        sources: Where a token was found, the one that counts first.
        differing: Whether the environment variables hold different ones.
        malformed: Whether it has characters that no token has.
        needed: Whether the endpoint is Hugging Face's.
        answer: What Hugging Face said to it; `None` if it was not asked.
        user: Whose it is.
        role: `"read"`, `"write"` or `"fineGrained"`.
        permissions: Of a fine-grained token.
    """

    sources: tuple[str, ...]
    differing: bool = False
    malformed: bool = False
    needed: bool = False
    answer: Literal["accepted", "refused", "unreachable"] | None = None
    user: str | None = None
    role: str | None = None
    permissions: frozenset[str] = frozenset()


def gather_token(*, needed: bool) -> TokenFacts:
    """Look for a token and ask Hugging Face whose it is."""
    values = {name: os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)}
    token = token_from_environment() or get_token()
    facts = TokenFacts(
        sources=tuple(values) or ((_LOGIN,) if token else ()),
        differing=len(set(values.values())) > 1,
        malformed=token is not None and not all("!" <= letter <= "~" for letter in token.strip()),
        needed=needed,
    )
    return facts if token is None or facts.malformed else _ask_hugging_face(facts, token)


def _ask_hugging_face(facts: TokenFacts, token: str) -> TokenFacts:
    try:
        answer = get_session().get(
            f"{constants.ENDPOINT}/api/whoami-v2",
            headers={"Authorization": f"Bearer {token.strip()}"},
            timeout=_SECONDS,
        )
    except (httpx.HTTPError, OfflineModeIsEnabled):
        return replace(facts, answer="unreachable")
    if answer.status_code != 200:
        refused = answer.status_code in {401, 403}
        return replace(facts, answer="refused" if refused else "unreachable")
    user = answer.json()
    access = (user.get("auth") or {}).get("accessToken") or {}
    return replace(
        facts,
        answer="accepted",
        user=user.get("name"),
        role=access.get("role"),
        permissions=_permissions(access.get("fineGrained") or {}),
    )


def _permissions(fine_grained: Mapping[str, Any]) -> frozenset[str]:
    scoped = (each.get("permissions") or () for each in fine_grained.get("scoped") or ())
    return frozenset(fine_grained.get("global") or ()).union(*scoped)


def judge_token(facts: TokenFacts) -> Iterator[Verdict]:
    """Judge the token."""
    if not facts.sources:
        if facts.needed:
            yield problem(
                "Token", "there is none, and the endpoint needs one", f"Set HF_TOKEN, or: {_LOGIN}"
            )
        else:
            yield ok("Token", "none, and none is needed")
        return
    if facts.malformed:
        yield problem(
            "Token",
            f"that of {facts.sources[0]} has characters that no token has (a space, a line break)",
            f"Copy it again from {_SETTINGS}",
        )
        return
    if facts.differing:
        yield warning(
            "Token",
            f"{' and '.join(facts.sources)} hold different ones; {facts.sources[0]} counts",
            "Unset one of them.",
        )
    yield _judge_answer(facts)


def _judge_answer(facts: TokenFacts) -> Verdict:
    found = f"found in {facts.sources[0]}"
    if facts.answer == "refused":
        return problem(
            "Token", f"{found}, but Hugging Face refuses it", f"Make a new one: {_SETTINGS}"
        )
    if facts.answer != "accepted":
        return skipped("Token", f"{found}; Hugging Face cannot be reached to ask about it")
    kind = {"fineGrained": "fine-grained"}.get(facts.role or "", facts.role or "unknown")
    accepted = f"{found}, accepted as that of {facts.user} ({kind})"
    if facts.role == "fineGrained" and _CALL not in facts.permissions:
        return warning(
            "Token",
            f"{accepted}, but it may not call Inference Endpoints",
            f"Allow it 'Make calls to your Inference Endpoints': {_SETTINGS}",
        )
    return ok("Token", accepted)
