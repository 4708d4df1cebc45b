"""Mark ids: a keyed permutation of serials with a tag that is checked before any look-up."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.provenance.ids import BadMarkId, ForgedMark, new_mark_id, open_mark_id

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))


@given(st.integers(0, 2**40 - 1))
def test_every_serial_comes_back(serial: int) -> None:
    mark_id = new_mark_id(serial, KEY)
    assert 0 <= mark_id < 2**64
    assert open_mark_id(mark_id, [KEY]) == serial


def test_known_answer_so_that_old_files_stay_readable() -> None:
    assert [new_mark_id(n, KEY) for n in (0, 1, 2**40 - 1)] == [
        0xC13A61675630F066,
        0x84F8E88AF1571F29,
        0x65C513013A430276,
    ]


def test_ids_of_neighbours_do_not_look_alike() -> None:
    ids = [new_mark_id(n, KEY) for n in range(2000)]
    assert len({i >> 24 for i in ids}) == 2000  # a permutation
    differing = [(a ^ b).bit_count() for a, b in itertools.pairwise(ids)]
    assert 30 < sum(differing) / len(differing) < 34  # about half of 64 bits


def test_several_active_keys_and_the_retired_one_refused() -> None:
    mark_id = new_mark_id(7, OTHER)
    assert open_mark_id(mark_id, [KEY, OTHER]) == 7
    with pytest.raises(ForgedMark):
        open_mark_id(mark_id, [KEY])


@given(st.integers(0, 63))
def test_any_flipped_bit_is_forged(bit: int) -> None:
    with pytest.raises(ForgedMark):
        open_mark_id(new_mark_id(123456, KEY) ^ (1 << bit), [KEY])


@pytest.mark.parametrize("serial", [-1, 2**40])
def test_serial_outside_its_range(serial: int) -> None:
    with pytest.raises(BadMarkId):
        new_mark_id(serial, KEY)


def test_short_key_and_wide_id_are_refused() -> None:
    with pytest.raises(BadMarkId):
        new_mark_id(1, b"short")
    with pytest.raises(BadMarkId):
        open_mark_id(2**64, [KEY])
