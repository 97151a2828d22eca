from langchain_hfendpoint._nli.delimited import Dialect, dialect_of, headerless_columns


def told(*head: str) -> Dialect:
    return dialect_of(head, quoting=None, delimiter=None)


def test_a_tab_in_the_first_line_separates_fields_else_a_comma_does() -> None:
    assert told("premise\thypothesis, or so\tlabel").delimiter == "\t"
    assert told("premise,hypothesis,label").delimiter == ","


def test_tab_separated_quotation_marks_are_plain_characters() -> None:
    assert not told("premise\thypothesis", 'He said, "no"\t"No" was said').quoted
    assert not told("premise\thypothesis", '"Never.\t"Always."').quoted


def test_doubled_quotation_marks_inside_quotation_marks_show_quoting() -> None:
    assert told("premise\thypothesis", '"He said ""no""."\tHe spoke.').quoted


def test_one_badly_quoted_field_shows_that_the_marks_are_plain() -> None:
    assert not told("premise\thypothesis", '"So ""it"" was."\t"Open end').quoted


def test_comma_separated_fields_may_be_quoted() -> None:
    assert told("premise,hypothesis").quoted


def test_what_the_caller_says_holds() -> None:
    assert dialect_of(["a;b\tc"], quoting=False, delimiter=";") == Dialect(";", quoted=False)


def test_sts_benchmark_is_known_without_a_header() -> None:
    fields = "main-captions\tMSRvid\t2012test\t0000\t5.000\tA man dances.\tA man is dancing."
    columns = headerless_columns(fields.split("\t"))
    assert columns is not None
    assert columns[4:] == ("score", "sentence1", "sentence2")
    assert headerless_columns(["premise", "hypothesis", "label"]) is None
