"""The benchmark's counter must be exact: it decides what is called lost."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bench import load as loads
from bench.counting import Tally, judge
from bench.load import Load, Sent


def _stream(load: Load) -> bytes:
    return b"".join(piece for _first, piece in loads.pieces_of(load))


def _sent(load: Load) -> Sent:
    return Sent([(first, 0.0) for first, _piece in loads.pieces_of(load)], 1.0)


def _tally(load: Load, data: bytes, cuts: list[int]) -> Tally:
    tally = Tally()
    tally.begin(load.mark)
    for start, end in pairwise([0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]):
        if start < end:
            tally.add(data[start:end])
    return tally


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0), max_size=60), st.sampled_from([64, 100, 300]))
def test_every_number_is_found_once_however_the_bytes_are_cut(cuts: list[int], size: int) -> None:
    """Wherever a read ends, inside a mark or a number, nothing is missed and nothing is doubled."""
    load = Load(count=40, topics=7, size=size, run=3)
    tally = _tally(load, _stream(load), cuts)
    result = judge(tally, load.count, _sent(load))
    assert (tally.count, result.received, result.copies) == (40, 40, 0)


def test_every_cut_at_a_single_byte_is_harmless() -> None:
    """Reads of one byte each are the worst case."""
    load = Load(count=9, topics=2, size=64, run=1)
    data = _stream(load)
    tally = _tally(load, data, list(range(len(data))))
    assert judge(tally, load.count, _sent(load)).received == 9


def test_what_is_missing_is_lost_and_what_came_twice_is_a_copy() -> None:
    """A lost message is not made up for by another that came twice."""
    load = Load(count=10, topics=1, size=64, run=1, rate=1)
    pieces = [piece for _first, piece in loads.pieces_of(load)]
    assert len(pieces) == 10
    del pieces[4]
    tally = _tally(load, b"".join([*pieces, pieces[0]]), [])
    result = judge(tally, load.count, _sent(load))
    assert tally.count == 10
    assert (result.received, result.copies) == (9, 1)


def test_other_runs_and_other_messages_are_not_counted() -> None:
    """What the bridge itself announces, and what is left of a run before, bears another mark."""
    before, now = Load(count=5, run=1), Load(count=5, run=2)
    noise = b'{"type":"message_received","topic":"x/status","payload":"online"}'
    tally = _tally(now, _stream(before) + noise + _stream(now), [100, 700])
    assert (tally.count, judge(tally, 5, _sent(now)).received) == (5, 5)


def test_payloads_have_exactly_the_wanted_size() -> None:
    """A size that is asked for is the size that is sent."""
    for size in (64, 100, 16_384):
        for device in (0, 99_999):
            head, tail = loads.payload_of(Load(count=1, size=size), device)
            assert len(head) + 9 + len(tail) == size
