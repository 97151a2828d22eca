from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._nli.digests import DIGEST_BYTES, DigestSet, digest

# Few different digests, all zeros among them, so that repeats and the special case are frequent.
few_digests = st.sampled_from(
    [bytes(DIGEST_BYTES), b"\1" + bytes(15), bytes(15) + b"\1", *map(digest, "abcdefgh")]
)
any_digest = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)


@given(st.lists(st.lists(few_digests | any_digest)))
def test_it_tells_what_a_python_set_would_tell(batches: list[list[bytes]]) -> None:
    ours, known = DigestSet(), set[bytes]()
    for batch in batches:
        expected = []
        for key in batch:
            expected.append(key not in known)
            known.add(key)
        assert ours.add(batch) == expected
    assert len(ours) == len(known)


def test_digests_that_collide_in_a_table_are_told_apart() -> None:
    # The place in a table comes from the first eight bytes alone.
    same_place = [b"same one" + number.to_bytes(8, "little") for number in range(1, 500)]
    ours = DigestSet()
    assert ours.add(same_place) == [True] * 499
    assert ours.add(same_place) == [False] * 499


def test_a_batch_larger_than_a_table_goes_into_several() -> None:
    keys = [digest(str(number)) for number in range(50_000)]
    ours = DigestSet()
    assert all(ours.add(keys))
    assert not any(ours.add(keys))
    assert len(ours) == 50_000


def test_a_text_never_costs_more_than_forty_bytes() -> None:
    ours = DigestSet()
    for start in range(0, 200_000, 1_000):
        ours.add([digest(str(number)) for number in range(start, start + 1_000)])
        if start >= 10_000:
            assert ours.nbytes <= 40 * len(ours)


def test_equal_texts_have_equal_digests_of_sixteen_bytes() -> None:
    assert digest("A man sleeps.") == digest("A man " + "sleeps.")
    assert digest("A man sleeps.") != digest("A man sleeps. ")
    assert len(digest("")) == DIGEST_BYTES
