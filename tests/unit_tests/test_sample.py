import re
from collections import Counter

import pytest

from langchain_hfendpoint import SNLILoader
from langchain_hfendpoint._nli.sample import sample_rows, sample_triples
from langchain_hfendpoint._nli.scenes import parse, triples


def test_it_has_a_few_thousand_triples_in_the_row_order_of_snli() -> None:
    pairs = list(SNLILoader("sample").pairs())
    assert 3_000 <= len(sample_triples()) <= 4_000
    assert len(pairs) == sample_rows() == 3 * len(sample_triples())
    assert {pairs[row].label for row in range(0, len(pairs), 3)} == {"entailment"}
    assert all(
        pairs[row].premise == pairs[row + 1].premise == pairs[row + 2].premise
        for row in range(0, len(pairs), 3)
    )


def test_premises_differ_and_hypotheses_repeat_no_more_than_in_snli() -> None:
    hypotheses = Counter(text for triple in sample_triples() for text in triple[1:])
    assert len({triple.premise for triple in sample_triples()}) == len(sample_triples())
    # 550,152 rows of SNLI's train split have 480,042 different hypotheses.
    assert len(hypotheses) / hypotheses.total() > 480_042 / 550_152


def test_no_hypothesis_repeats_its_premise() -> None:
    assert not [triple for triple in sample_triples() if triple.premise in triple[1:]]


def test_every_text_is_one_finished_sentence() -> None:
    wrong = re.compile(
        r"[^.]$"  # no full stop
        r"|[\[\]<>|$]"  # something left of the pattern
        r"|  |\b(a|an|the) (a|an|the)\b"
    )
    texts = [text for triple in sample_triples() for text in triple]
    assert not [text for text in texts if not text[0].isupper() or wrong.search(text.lower())]


def test_the_three_queries_of_the_tutorial_are_there() -> None:
    premises = [pair.premise for pair in SNLILoader("sample", limit=201).pairs()]
    queries = {premises[row] for row in (0, 100, 200)}
    assert len(queries) == 3
    assert all(len(query.split()) >= 5 for query in queries)


def test_horses_and_airplanes_are_there_to_be_found() -> None:
    premises = " ".join(triple.premise for triple in sample_triples())
    assert premises.count("horse") >= 100
    assert premises.count("airplane") >= 20


def test_a_scene_says_its_choices_again() -> None:
    scene = parse(
        "= [a man] in a [red] hat waits.\n"
        "+ <1> wears <2>.\n? <the 1> lost <his 1> key.\n- <1> is [not] there."
    )
    assert triples(scene, each=5) == [
        (
            "A man in a red hat waits.",
            "A man wears red.",
            "The man lost his key.",
            "A man is not there.",
        )
    ]


def test_a_line_of_a_scene_that_begins_with_no_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot begin with 'x'"):
        parse("= A man waits.\nx A man sleeps.")
