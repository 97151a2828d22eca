import pytest

from langchain_hfendpoint._nli.labels import UNLABELLED, Label, LabelReader, label_reader
from langchain_hfendpoint.errors import BrokenRowError, ConfigurationError

ENTAILMENT, NEUTRAL, CONTRADICTION = (
    Label(0, "entailment"),
    Label(1, "neutral"),
    Label(2, "contradiction"),
)


@pytest.mark.parametrize("value", [0, "0", "entailment", "ENTAILMENT", "e", "entails", 0.0])
def test_all_ways_to_say_entailment_are_one_label(value: object) -> None:
    assert LabelReader().read(value) == ENTAILMENT


@pytest.mark.parametrize("value", [None, "", "-", -1, "-1", "hidden"])
def test_all_ways_to_say_that_there_is_no_gold_label_are_one(value: object) -> None:
    assert LabelReader().read(value) is UNLABELLED


def test_known_names_get_the_numbers_of_snli_whatever_the_source_counts() -> None:
    reader = LabelReader(["contradiction", "entailment", "neutral"])
    assert [reader.read(number) for number in range(3)] == [CONTRADICTION, ENTAILMENT, NEUTRAL]


def test_two_way_labels_keep_their_own_name() -> None:
    assert LabelReader(["entailment", "not_entailment"]).read(1) == Label(1, "not_entailment")
    assert LabelReader().read("not_entailment") == Label(1, "not_entailment")


def test_names_of_the_callers_own_get_their_position() -> None:
    reader = LabelReader(["different", "paraphrase"])
    assert reader.read(1) == reader.read("paraphrase") == Label(1, "paraphrase")


def test_raw_values_can_be_given_a_meaning() -> None:
    reader = label_reader({"yes": "entailment", 7: "contradiction"}, None, None)
    assert reader.read("yes") == ENTAILMENT
    assert reader.read(7) == CONTRADICTION


def test_the_callers_word_goes_before_the_sources() -> None:
    reader = label_reader(["neutral", "entailment"], ["entailment", "neutral"], None)
    assert reader.read(0) == NEUTRAL


def test_a_number_outside_the_names_is_broken_and_says_which_option_decides() -> None:
    with pytest.raises(BrokenRowError, match=r"label 3 is outside 0\.\.2.*labels="):
        LabelReader().read(3)


def test_a_score_in_the_label_column_is_not_taken_for_a_label() -> None:
    with pytest.raises(BrokenRowError, match=r"columns=\{'score'"):
        LabelReader().read(3.8)


def test_an_unknown_word_is_broken() -> None:
    with pytest.raises(BrokenRowError, match="'maybe' is not known"):
        LabelReader().read("maybe")


def test_a_label_that_is_a_list_is_broken() -> None:
    with pytest.raises(BrokenRowError, match="neither a word nor a number"):
        LabelReader().read(["neutral"])


def test_one_string_is_no_list_of_names() -> None:
    with pytest.raises(ConfigurationError, match="not the string"):
        label_reader("entailment", None, None)
