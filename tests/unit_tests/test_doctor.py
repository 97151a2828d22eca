"""The doctor's verdicts, from facts alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from langchain_hfendpoint._doctor.endpoint import EndpointFacts, judge_endpoint
from langchain_hfendpoint._doctor.index import (
    IndexFacts,
    RoundTripFacts,
    judge_index,
    judge_round_trip,
)
from langchain_hfendpoint._doctor.network import NetworkFacts, judge_network, judge_proxies
from langchain_hfendpoint._doctor.packages import PackageFacts, judge_packages
from langchain_hfendpoint._doctor.token import TokenFacts, judge_token
from langchain_hfendpoint._doctor.verdicts import Verdict
from langchain_hfendpoint._endpoints.records import Endpoint
from langchain_hfendpoint._engine.protocols import ServerInfo
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.indexes import PineconeIndex

INSTALLED = {"langchain-hfendpoint": "0.1.0", "langchain-core": "1.7.2", "pinecone": "7.3.0"}
MADE = Provenance(384, model="a/model", normalized=True)


def levels(verdicts: Iterable[Verdict]) -> dict[str, str]:
    return {verdict.check: verdict.level for verdict in verdicts}


def the(verdicts: Iterable[Verdict], check: str) -> Verdict:
    (found,) = [verdict for verdict in verdicts if verdict.check == check]
    return found


def packages(
    python: tuple[int, int, int] = (3, 12, 1),
    requirements: dict[str, tuple[str, ...]] | None = None,
    **installed: str,
) -> list[Verdict]:
    named = {name.replace("_", "-"): version for name, version in installed.items()}
    return list(judge_packages(PackageFacts(python, {**INSTALLED, **named}, requirements or {})))


@pytest.mark.parametrize(
    ("python", "level"),
    [((3, 9, 0), "problem"), ((3, 10, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "warning")],
)
def test_python_is_judged_by_what_is_tested(python: tuple[int, int, int], level: str) -> None:
    assert the(packages(python), "Python").level == level


@pytest.mark.parametrize(
    ("version", "level"),
    [("7.3.0", "ok"), ("8.1.2", "warning"), ("9.0.0", "problem"), ("10.2.0", "problem")],
)
def test_pinecone_is_judged_by_what_langchain_pinecone_can_import(version: str, level: str) -> None:
    verdict = the(packages(pinecone=version, langchain_pinecone="0.2.13"), "Packages")
    assert verdict.level == level
    if level != "ok":
        assert verdict.remedy == "pip install 'pinecone>=7,<8'"


def test_a_new_pinecone_alone_is_no_trouble() -> None:
    assert the(packages(pinecone="10.2.0"), "Packages").level == "ok"


@pytest.mark.parametrize("leftover", ["pinecone_client", "pinecone_plugin_inference"])
def test_leftovers_of_old_pinecone_clients_are_a_problem(leftover: str) -> None:
    verdict = the(packages(**{leftover: "1.0"}), "Packages")
    assert verdict.level == "problem"
    assert "pip uninstall" in (verdict.remedy or "")


def test_a_requirement_that_is_not_met_is_a_problem_with_both_versions() -> None:
    requirements = {"langchain-core": ("certifi>=2026.10.19", "tenacity; python_version<'3'")}
    verdict = the(packages(requirements=requirements, certifi="2026.1.1"), "Packages")
    assert verdict.level == "problem"
    assert "langchain-core 1.7.2 needs certifi>=2026.10.19, but 2026.1.1 is installed" in (
        verdict.found
    )


def test_a_conflict_of_a_package_that_is_not_used_here_is_a_warning() -> None:
    requirements = {"langchain-huggingface": ("huggingface-hub<2",)}
    verdicts = packages(
        requirements=requirements, huggingface_hub="2.4.0", langchain_huggingface="1.2.3"
    )
    assert the(verdicts, "Packages").level == "warning"


def test_one_trouble_is_told_once() -> None:
    requirements = {"langchain-pinecone": ("pinecone[asyncio]<8.0.0,>=6.0.0",)}
    verdicts = packages(requirements=requirements, pinecone="9.1.0", langchain_pinecone="0.2.13")
    assert len([each for each in verdicts if each.check == "Packages"]) == 1


def test_an_extra_that_is_not_installed_is_named_with_its_command() -> None:
    requirements = {
        "langchain-hfendpoint": (
            'ctranslate2>=4.6; extra == "local"',
            'pyarrow>=18; extra == "datasets"',
            'pinecone>=7; extra == "pinecone"',
        )
    }
    verdict = the(packages(requirements=requirements, ctranslate2="4.8"), "Extras")
    assert verdict.level == "ok"
    assert "langchain-hfendpoint[datasets]" in verdict.found


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (TokenFacts(()), "ok"),
        (TokenFacts((), needed=True), "problem"),
        (TokenFacts(("HF_TOKEN",), malformed=True), "problem"),
        (TokenFacts(("HF_TOKEN",), answer="refused"), "problem"),
        (TokenFacts(("HF_TOKEN",), answer="unreachable"), "skipped"),
        (TokenFacts(("HF_TOKEN",), answer="accepted", user="ada", role="read"), "ok"),
        (TokenFacts(("HF_TOKEN",), answer="accepted", role="fineGrained"), "warning"),
        (
            TokenFacts(
                ("HF_TOKEN",),
                answer="accepted",
                role="fineGrained",
                permissions=frozenset({"inference.endpoints.infer.write"}),
            ),
            "ok",
        ),
    ],
)
def test_the_token_is_judged_by_what_it_may_do(facts: TokenFacts, level: str) -> None:
    assert the(judge_token(facts), "Token").level == level


def test_two_different_tokens_are_worth_a_warning() -> None:
    facts = TokenFacts(
        ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN"), differing=True, answer="accepted", role="write"
    )
    assert [verdict.level for verdict in judge_token(facts)] == ["warning", "ok"]


@pytest.mark.parametrize(
    ("failed_at", "check"), [("dns", "DNS"), ("connect", "Connection"), ("tls", "TLS")]
)
def test_the_step_that_fails_is_named_and_ends_the_way(failed_at: Any, check: str) -> None:
    facts = NetworkFacts("https", "e.test", 443, failed_at=failed_at, error="no")
    (verdict,) = judge_network(facts)
    assert (verdict.check, verdict.level) == (check, "problem")


@pytest.mark.parametrize(
    ("skew", "level"), [(0.4, "ok"), (-45.0, "warning"), (3600.0, "problem"), (None, "skipped")]
)
def test_the_clock_is_judged_by_its_distance(skew: float | None, level: str) -> None:
    facts = NetworkFacts("http", "127.0.0.1", 80, clock_skew=skew)
    assert levels(judge_network(facts))["Clock"] == level


def test_a_clock_that_is_behind_is_said_to_be_behind() -> None:
    facts = NetworkFacts("http", "127.0.0.1", 80, clock_skew=600.0)
    assert "600 s behind" in the(judge_network(facts), "Clock").found


@pytest.mark.parametrize(
    ("scheme", "host", "days", "level"),
    [
        ("http", "127.0.0.1", None, "ok"),
        ("http", "e.test", None, "warning"),
        ("https", "e.test", 60.0, "ok"),
        ("https", "e.test", 2.0, "warning"),
    ],
)
def test_encryption_is_wanted_beyond_this_machine(
    scheme: str, host: str, days: float | None, level: str
) -> None:
    facts = NetworkFacts(scheme, host, 1, tls_version="TLSv1.3", certificate_days=days)
    assert levels(judge_network(facts))["TLS"] == level


@pytest.mark.parametrize(
    ("proxies", "cloud", "level"),
    [
        ({}, True, "ok"),
        ({"no": "127.0.0.1"}, True, "ok"),
        ({"https": "http://p.test:3128"}, False, "ok"),
        ({"https": "http://p.test:3128"}, True, "warning"),
        ({"http": "http://p.test:3128"}, False, "warning"),
        ({"http": "http://p.test:3128", "no": "localhost, 127.0.0.1"}, False, "ok"),
    ],
)
def test_proxies_are_judged_by_whom_they_reach(
    proxies: dict[str, str], cloud: bool, level: str
) -> None:
    assert judge_proxies(proxies, pinecone_in_cloud=cloud).level == level


def test_a_proxys_password_is_not_told() -> None:
    verdict = judge_proxies({"https": "http://u:secret@p.test:3128"}, pinecone_in_cloud=True)
    assert "secret" not in f"{verdict}"
    assert "p.test" in verdict.found


def managed(state: str) -> Endpoint:
    return Endpoint("e", "ada", "a/model", state, url="https://e.test")


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ("running", "ok"),
        ("scaledToZero", "warning"),
        ("initializing", "warning"),
        ("paused", "problem"),
        ("failed", "problem"),
    ],
)
def test_the_state_is_judged_by_whether_it_answers(state: str, level: str) -> None:
    verdicts = levels(judge_endpoint(EndpointFacts(managed=managed(state))))
    assert verdicts["State"] == level
    assert verdicts.get("Embedding") == (None if state == "running" else "skipped")


SERVER = ServerInfo("tei", "text-embeddings-inference", version="1.9.3", max_batch=32)


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (EndpointFacts(error="no"), "problem"),
        (EndpointFacts(error="no", asleep=True), "warning"),
        (EndpointFacts(provenance=MADE, seconds=(0.1, 0.2), vector=(1.0,)), "ok"),
        (EndpointFacts(provenance=MADE, seconds=(9.0,), vector=(1.0,)), "warning"),
    ],
)
def test_the_embedding_is_judged_by_whether_it_comes_and_when(
    facts: EndpointFacts, level: str
) -> None:
    assert the(judge_endpoint(facts), "Embedding").level == level


def test_protocol_and_limits_are_told_also_when_the_embedding_fails() -> None:
    verdicts = list(judge_endpoint(EndpointFacts(server=SERVER, error="no")))
    assert "tei: text-embeddings-inference 1.9.3" in the(verdicts, "Protocol").found
    assert the(verdicts, "Limits").found == "32 texts a request"


def index(provenance: Provenance | None, **fields: Any) -> PineconeIndex:
    given = {"metric": "cosine", "ready": True, "namespaces": {"": 3}, **fields}
    return PineconeIndex(
        "i", provenance=provenance, host="i.test", deletion_protected=False, **given
    )


def judged(found: PineconeIndex | None, embeddings: Provenance | None = MADE) -> dict[str, str]:
    return levels(judge_index(IndexFacts("i", "Pinecone's cloud", ("i",), found), embeddings))


def test_an_index_that_fits_is_ok() -> None:
    assert judged(index(MADE)) == {"Pinecone": "ok", "Index": "ok", "Provenance": "ok"}


def test_an_index_of_another_dimension_is_a_problem() -> None:
    assert judged(index(Provenance(768, model="a/model")))["Index"] == "problem"


def test_an_index_of_another_model_is_a_problem() -> None:
    assert judged(index(Provenance(384, model="b/model")))["Provenance"] == "problem"


def test_an_index_without_tags_is_a_warning() -> None:
    assert judged(index(Provenance(384)))["Provenance"] == "warning"


def test_a_missing_index_is_a_warning_and_ends_there() -> None:
    assert judged(None) == {"Pinecone": "ok", "Index": "warning"}


def test_without_an_embedding_the_index_is_not_compared() -> None:
    assert judged(index(MADE), None) == {"Pinecone": "ok", "Index": "ok", "Provenance": "skipped"}


def test_dotproduct_with_vectors_of_any_length_is_a_warning() -> None:
    raw = Provenance(384, model="a/model", normalized=False)
    assert judged(index(raw, metric="dotproduct"), raw)["Index"] == "warning"


def test_a_pinecone_that_does_not_answer_is_a_problem() -> None:
    facts = IndexFacts("i", "Pinecone's cloud", error="no key")
    assert levels(judge_index(facts, MADE)) == {"Pinecone": "problem"}


def test_a_round_trip_tells_its_steps_also_when_it_breaks_off() -> None:
    assert judge_round_trip(RoundTripFacts({"write": 0.1, "read": 0.2})).found == (
        "write 100 ms, read 200 ms"
    )
    broken = judge_round_trip(RoundTripFacts({"write": 0.1}, error="gone"))
    assert (broken.level, broken.found) == ("problem", "write 100 ms; then: gone")
