import pytest

from langchain_hfendpoint._nli.columns import Hypothesis, Layout, recognize
from langchain_hfendpoint.errors import ConfigurationError, DataError

BOTH = {"premise", "hypothesis"}


def recognized(*names: str, needed: set[str] = BOTH, **given: str) -> Layout:
    return recognize(names, origin="it", needed=needed, given=given)


@pytest.mark.parametrize(
    ("names", "premise", "hypothesis", "label"),
    [
        (("premise", "hypothesis", "label"), "premise", "hypothesis", "label"),
        (
            ("gold_label", "sentence1", "sentence2", "pairID"),
            "sentence1",
            "sentence2",
            "gold_label",
        ),
        (("uid", "context", "hypothesis", "label"), "context", "hypothesis", "label"),
        (
            ("pair_ID", "sentence_A", "sentence_B", "relatedness_score", "entailment_judgment"),
            "sentence_A",
            "sentence_B",
            "entailment_judgment",
        ),
        (("idx", "question", "sentence", "label"), "sentence", "question", "label"),
        (("Premise", "Hypothesis"), "Premise", "Hypothesis", None),
    ],
)
def test_published_layouts_are_recognized(
    names: tuple[str, ...], premise: str, hypothesis: str, label: str | None
) -> None:
    layout = recognized(*names)
    assert layout.premise == premise
    assert layout.hypotheses == (Hypothesis(hypothesis),)
    assert layout.label == label


def test_triplets_give_an_entailed_and_a_contradicting_hypothesis() -> None:
    layout = recognized("anchor", "positive", "negative")
    assert layout.premise == "anchor"
    assert layout.hypotheses == (
        Hypothesis("positive", "entailment"),
        Hypothesis("negative", "contradiction"),
    )


def test_triplets_without_negatives_are_pairs_that_entail() -> None:
    assert recognized("anchor", "positive").hypotheses == (Hypothesis("positive", "entailment"),)


def test_two_way_sets_of_glue_know_their_label_names() -> None:
    assert recognized("question", "sentence", "label").label_names == (
        "entailment",
        "not_entailment",
    )


def test_scores_are_recognized_beside_labels() -> None:
    assert recognized("sentence1", "sentence2", "score").score == "score"


def test_columns_that_fit_two_layouts_are_an_error_that_names_both() -> None:
    with pytest.raises(DataError) as caught:
        recognized("premise", "hypothesis", "sentence1", "sentence2")
    assert "'sentence1'" in str(caught.value)
    assert "columns={'premise'" in str(caught.value)


def test_saying_which_ends_the_ambiguity() -> None:
    layout = recognized(
        "premise", "hypothesis", "sentence1", "sentence2", premise="premise", hypothesis="sentence2"
    )
    assert (layout.premise, layout.hypotheses) == ("premise", (Hypothesis("sentence2"),))


def test_two_label_columns_are_an_error_that_says_how_to_choose() -> None:
    with pytest.raises(DataError, match=r"columns=\{'label': 'gold_label'\}"):
        recognized("premise", "hypothesis", "label", "gold_label")
    assert (
        recognized("premise", "hypothesis", "label", "gold_label", label="label").label == "label"
    )


def test_a_missing_column_lists_those_that_are_there() -> None:
    with pytest.raises(DataError, match=r"known as hypothesis.*'title', 'body'") as caught:
        recognized("title", "body", needed={"hypothesis"})
    assert "columns={'hypothesis': '...'}" in str(caught.value)


def test_a_column_that_is_given_but_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match="no column 'texts'"):
        recognized("text", needed={"hypothesis"}, hypothesis="texts")


def test_a_needed_column_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(DataError, match="2 times"):
        recognized("premise", "hypothesis", "hypothesis")


def test_columns_nobody_needs_may_be_there_twice() -> None:
    assert recognized("null", "sentence1", "sentence2", "null").premise == "sentence1"


def test_only_the_hypothesis_is_read_when_only_it_is_needed() -> None:
    assert recognized("premise", "hypothesis", "label", needed={"hypothesis"}).wanted == [
        "hypothesis",
        "label",
    ]


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'target' is no role"):
        recognized("premise", "hypothesis", target="premise")
