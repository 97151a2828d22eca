import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint.errors import ConfigurationError
from langchain_hfendpoint.local._endpoint.proxy import ColdStart, patience
from langchain_hfendpoint.local._endpoint.tei import TEI
from langchain_hfendpoint.local._endpoint.toolkit import Toolkit
from langchain_hfendpoint.local._faults import Faults, parse_rates

DRAWS = [number / 1000 for number in range(1000)]


def test_each_fault_hits_its_share_of_the_requests():
    faults = Faults(((429, 0.25), (503, 0.05)))
    statuses = [faults.status(draw) for draw in DRAWS]
    assert statuses.count(429) == 250
    assert statuses.count(503) == 50
    assert statuses.count(None) == 700


@given(st.sampled_from(DRAWS))
def test_a_rate_of_one_hits_every_request_and_none_hits_no_request(draw):
    assert Faults(((503, 1.0),)).status(draw) == 503
    assert Faults().status(draw) is None


def test_faults_are_written_as_status_and_probability():
    assert parse_rates(["429=0.05", "503=1"]) == ((429, 0.05), (503, 1.0))


@pytest.mark.parametrize(
    "text", ["429", "429=", "=0.1", "429=2", "429=-1", "200=0.1", "x=y", "600=0"]
)
def test_a_fault_that_cannot_be_is_refused_in_one_sentence(text):
    with pytest.raises(ConfigurationError, match="STATUS=PROBABILITY"):
        parse_rates([text])


def test_rates_that_add_up_to_more_than_one_are_refused():
    with pytest.raises(ConfigurationError, match=r"add up to 1\.1"):
        Faults(((429, 0.6), (503, 0.5)))


def test_a_negative_latency_is_refused():
    with pytest.raises(ConfigurationError, match="latency"):
        Faults(latency=-1)


def test_the_arguments_say_the_same_as_the_faults():
    faults = Faults(((429, 0.05),), latency=0.5, seed=7)
    assert faults.arguments == ["--fault=429=0.05", "--latency=0.5", "--fault-seed=7"]
    assert Faults().arguments == []


def test_a_cold_start_begins_with_the_first_request():
    start = ColdStart(30.0)
    assert [start.remaining(now) for now in (100.0, 110.0, 129.0, 130.0, 500.0)] == [
        30.0,
        20.0,
        1.0,
        0.0,
        0.0,
    ]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("600", 600),
        ("2.5", 2.5),
        ("soon", 0),
        ("-1", 0),
        ("inf", 0),
        ("nan", 0),
        ("", 0),
    ],
)
def test_only_a_usable_scale_up_timeout_holds_a_request(header, seconds):
    assert patience(header) == seconds


@pytest.mark.parametrize("status", [400, 424, 429, 499, 502, 503, 599])
def test_every_status_that_can_be_injected_has_an_answer(status):
    assert TEI.fault(status).status == Toolkit.fault(status).status == status
