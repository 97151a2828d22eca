"""Provenance: what must be equal before vectors may be mixed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_hfendpoint._provenance import Provenance, provenance_of
from langchain_hfendpoint.errors import ProvenanceMismatchError
from langchain_hfendpoint.vectorstores import check_same_provenance

_words = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
_prompts = _words | st.just("")
_provenances = st.builds(
    Provenance,
    dimension=st.integers(1, 20_000),
    model=_words,
    revision=_words,
    normalized=st.none() | st.booleans(),
    document_prompt=_prompts,
    query_prompt=_prompts,
)


@given(_provenances)
def test_tags_carry_a_provenance_there_and_back(provenance: Provenance) -> None:
    tags = provenance.to_tags()
    assert Provenance.from_tags(tags, dimension=provenance.dimension) == provenance


@given(_provenances)
def test_tags_stay_within_pinecones_limits(provenance: Provenance) -> None:
    tags = provenance.to_tags()
    assert len(tags) <= 20
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", key) for key in tags)
    assert all(re.fullmatch(r"[A-Za-z0-9;@_.+ -]{1,120}", value) for value in tags.values())


def test_a_model_id_stays_readable_in_its_tag() -> None:
    tags = Provenance(3, model="sentence-transformers/all-MiniLM-L6-v2").to_tags()
    assert tags["hfendpoint-model"] == "sentence-transformers+2Fall-MiniLM-L6-v2"


def test_tags_of_others_are_ignored() -> None:
    assert Provenance.from_tags({"team": "search"}, dimension=3) == Provenance(dimension=3)


def test_what_one_side_does_not_know_is_no_difference() -> None:
    assert Provenance(3, model="a").differences(Provenance(3)) == {}


def test_no_prompt_differs_from_some_prompt_after_a_trip_through_the_tags() -> None:
    stored = Provenance.from_tags(Provenance(3, document_prompt="").to_tags(), dimension=3)
    assert "document_prompt" in stored.differences(Provenance(3, document_prompt="passage: "))


def test_a_long_model_name_equals_itself_after_being_cut_to_a_tag() -> None:
    long = Provenance(3, model="m/" * 500)
    assert Provenance.from_tags(long.to_tags(), dimension=3).differences(long) == {}


def test_another_query_prompt_is_no_difference() -> None:
    assert Provenance(3, query_prompt="a").differences(Provenance(3, query_prompt="b")) == {}


def test_a_mismatch_names_both_values_of_every_difference() -> None:
    with pytest.raises(ProvenanceMismatchError) as caught:
        check_same_provenance(
            "The index 'x'", Provenance(3, model="a", normalized=True), Provenance(4, model="b")
        )
    message = str(caught.value)
    assert "dimension 3 there, 4 here" in message
    assert "model 'a' there, 'b' here" in message
    assert "normalized" not in message


def test_the_dimension_of_any_embeddings_is_probed() -> None:
    assert provenance_of(DeterministicFakeEmbedding(size=7)) == Provenance(dimension=7)
