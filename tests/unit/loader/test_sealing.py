"""The seal: who wins a key, who exists already, who looks like somebody else. Content decides, never timing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.loader import sealing
from services.loader.sealed_index import NATURAL_MATCH, OTHER_CELLS, SAME_CELLS, SealedIndex
from shared.catalog.identity import KeyedBy
from shared.messages.batches import MappedStream
from shared.messages.plan import record_id
from tests.support.builders import Batches, File, Given, customer, make_plan, seal, stream_of

NOBODY: set[int] = set()


def losers(index: SealedIndex) -> dict[int, tuple[int, int, bool]]:
    """Slot -> (slot of the winner, its line, same cells)."""
    columns = (index[name].tolist() for name in ("loser_slot", "loser_winner", "loser_line", "loser_same"))
    return {slot: (winner, line, same == SAME_CELLS) for slot, winner, line, same in zip(*columns, strict=True)}


def existing(index: SealedIndex) -> dict[int, tuple[int, int]]:
    """Slot -> (id of the stored record, how they match)."""
    columns = (index[name].tolist() for name in ("existing_slot", "existing_id", "existing_how"))
    return {slot: (id_, how) for slot, id_, how in zip(*columns, strict=True)}


def shared(index: SealedIndex) -> dict[int, tuple[int, int]]:
    """Slot -> (slot of the earlier record with the same natural key, its line)."""
    columns = (index[name].tolist() for name in ("shared_slot", "shared_other", "shared_line"))
    return {slot: (other, line) for slot, other, line in zip(*columns, strict=True)}


def in_one_file(*batches: Sequence[Given]) -> dict[int, list[MappedStream]]:
    """Batch -> stream; records are numbered through."""
    firsts = [sum(map(len, batches[:i])) for i in range(len(batches))]
    return {
        i: [stream_of("customers", *records, first=first)]
        for i, (records, first) in enumerate(zip(batches, firsts, strict=True))
    }


def reordered(batches: Batches, order: Sequence[int]) -> Batches:
    return {batch: batches[batch] for batch in order}


# ---- duplicates in one run ------------------------------------------------------------------------------------


def test_the_first_record_of_a_key_wins_and_later_ones_are_duplicates_or_conflicts(tmp_path: Path) -> None:
    batches = in_one_file(
        [customer("1", "Ada"), customer("2", "Ben")], [customer("1", "Ada"), customer("2", "Benjamin"), customer("3")]
    )

    index = SealedIndex(seal(tmp_path, make_plan(File("a.csv", [2, 3])), batches))

    assert losers(index) == {2: (0, 2, True), 3: (1, 3, False)}
    assert sorted(index["key_slot"].tolist()) == [0, 1, 4]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_winners_have_the_smallest_rank_whatever_the_order_of_batches(tmp_path: Path, order: tuple[int, ...]) -> None:
    plan = make_plan(File("a.csv", [2, 2]), File("b.csv", [2, 2]))
    batches = {
        0: [stream_of("customers", customer("1"), customer("5"), first=0)],
        1: [stream_of("customers", customer("2"), customer("3"), first=2)],
        2: [stream_of("customers", customer("3"), customer("4"), first=0)],
        3: [stream_of("customers", customer("4"), customer("1"), first=2)],
    }

    index = SealedIndex(seal(tmp_path, plan, reordered(batches, order)))

    # Slots 4 to 7 are those of b.csv; lines count inside their file.
    assert losers(index) == {4: (3, 5, True), 6: (5, 3, True), 7: (0, 2, True)}


def test_of_two_records_of_one_row_the_stream_that_comes_first_in_its_file_wins(tmp_path: Path) -> None:
    plan = make_plan(File("a.csv", [2], ["jobs", ("customers", 0), ("customers", 1)]))
    twice = [stream_of("customers", customer("1"), customer("2"), slot=slot, primary=False) for slot in (1, 0)]

    index = SealedIndex(seal(tmp_path, plan, {0: twice}))

    assert losers(index) == {4: (2, 2, True), 5: (3, 3, True)}


def test_a_row_further_up_wins_over_a_stream_further_left(tmp_path: Path) -> None:
    plan = make_plan(File("a.csv", [2], ["jobs", ("customers", 0), ("customers", 1)]))
    batch = [
        stream_of("customers", customer("x"), customer("1"), slot=0, primary=False),
        stream_of("customers", customer("1"), customer("y"), slot=1, primary=False),
    ]

    index = SealedIndex(seal(tmp_path, plan, {0: batch}))

    assert losers(index) == {3: (4, 2, True)}


def test_keys_of_another_kind_or_label_never_meet(tmp_path: Path) -> None:
    by_id, by_name = customer("1"), customer("1", keyed_by=KeyedBy.NATURAL)

    index = SealedIndex(seal(tmp_path, make_plan(File("a.csv", [2])), in_one_file([by_id, by_name])))

    assert losers(index) == {}


def test_an_entity_type_without_records_makes_an_empty_index(tmp_path: Path) -> None:
    index = SealedIndex(seal(tmp_path, make_plan(File("a.csv", [2])), {}))

    assert (index.run, index.entity, index.label) == (1, "customers", "files")
    assert (len(index["key_slot"]), losers(index), existing(index)) == (0, {}, {})


# ---- the artifact ---------------------------------------------------------------------------------------------


def many(seed: int) -> dict[int, list[MappedStream]]:
    """Records with repeated keys, natural keys and names over several batches."""
    chance = random.Random(seed)
    records = [
        customer(f"{chance.randrange(200)}", f"Name {chance.randrange(30)}", email=f"{chance.randrange(150)}@x.co")
        for _ in range(300)
    ]
    return in_one_file(*(records[i : i + 50] for i in range(0, 300, 50)))


PLAN = make_plan(File("a.csv", [50] * 6))


def test_repeated_seals_have_the_same_bytes(tmp_path: Path) -> None:
    first = seal(tmp_path, PLAN, many(1)).read_bytes()

    assert seal(tmp_path, PLAN, many(1)).read_bytes() == first
    assert seal(tmp_path, PLAN, many(2)).read_bytes() != first


def test_the_order_of_batches_does_not_change_a_byte(tmp_path: Path) -> None:
    first = seal(tmp_path, PLAN, many(1)).read_bytes()

    assert seal(tmp_path, PLAN, reordered(many(1), [4, 2, 0, 5, 3, 1])).read_bytes() == first


@pytest.mark.parametrize("entries", [7, 40, 200])
def test_parts_of_the_hash_range_make_the_same_bytes_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    earlier = [seal(tmp_path, make_plan(File("a.csv", [50] * 6), run=1, label="other"), many(3))]
    plan = make_plan(File("a.csv", [50] * 6), run=2)
    whole = seal(tmp_path, plan, many(1), earlier=earlier, stored=lambda ids: {id_ for id_ in ids if id_ % 3})

    monkeypatch.setattr(sealing, "PART_ENTRIES_MIN", entries)
    in_parts = seal(tmp_path, plan, many(1), earlier=earlier, stored=lambda ids: {id_ for id_ in ids if id_ % 3})

    index = SealedIndex(in_parts)
    assert len(existing(index)) > 20
    assert len(shared(index)) > 20
    assert in_parts.read_bytes() == whole.read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.integers(0, 9), min_size=1, max_size=24), cut=st.integers(1, 8), seed=st.randoms())
def test_every_record_wins_or_loses_to_the_first_of_its_key(
    tmp_path: Path, ids: list[int], cut: int, seed: random.Random
) -> None:
    batches = in_one_file(*([customer(str(i)) for i in ids[k : k + cut]] for k in range(0, len(ids), cut)))
    plan = make_plan(File("a.csv", [len(range(k, min(k + cut, len(ids)))) for k in range(0, len(ids), cut)]))
    order = seed.sample(sorted(batches), len(batches))

    index = SealedIndex(seal(tmp_path, plan, reordered(batches, order)))

    firsts = {key: slot for slot, key in reversed(list(enumerate(ids)))}
    assert sorted(index["key_slot"].tolist()) == sorted(firsts.values())
    assert {slot: found[0] for slot, found in losers(index).items()} == {
        slot: firsts[key] for slot, key in enumerate(ids) if firsts[key] != slot
    }


# ---- records of earlier runs ----------------------------------------------------------------------------------


def sealed_run(tmp_path: Path, run: int, *records: Given, label: str = "files", earlier: Sequence[Path] = ()) -> Path:
    """The index of a run over one file of one batch."""
    streams = {0: [stream_of("customers", *records, label=label)]}
    return seal(tmp_path, make_plan(File("a.csv", [len(records)]), run=run, label=label), streams, earlier=earlier)


def test_a_key_of_an_earlier_run_exists_with_the_same_or_other_cells(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("1", "Ada"), customer("2", "Ben"))

    second = sealed_run(tmp_path, 2, customer("2", "Ben"), customer("1", "Adele"), customer("3"), earlier=[first])

    assert existing(SealedIndex(second)) == {0: (record_id(1, 1), SAME_CELLS), 1: (record_id(1, 0), OTHER_CELLS)}


def test_only_the_winner_of_a_key_is_said_to_exist(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("1"))

    second = SealedIndex(sealed_run(tmp_path, 2, customer("1"), customer("1"), earlier=[first]))

    assert existing(second) == {0: (record_id(1, 0), SAME_CELLS)}
    assert losers(second) == {1: (0, 2, True)}


def test_a_record_keeps_the_id_of_its_first_import_over_many_runs(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("1"))
    second = sealed_run(tmp_path, 2, customer("1"), earlier=[first])

    third = sealed_run(tmp_path, 3, customer("0"), customer("1"), earlier=[first, second])

    assert existing(SealedIndex(third)) == {1: (record_id(1, 0), SAME_CELLS)}


def test_a_natural_key_finds_the_record_of_another_label_whatever_its_id(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("J-1", "Ada", email="ada@x.co"), label="jobber")

    second = sealed_run(tmp_path, 2, customer("77", "A. Abbot", email="ada@x.co"), customer("78"), earlier=[first])

    assert existing(SealedIndex(second)) == {0: (record_id(1, 0), NATURAL_MATCH)}


def test_an_id_means_another_record_under_another_label(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("1", "Ada"), label="jobber")

    assert existing(SealedIndex(sealed_run(tmp_path, 2, customer("1", "Ada"), earlier=[first]))) == {}


def test_inside_a_label_other_ids_are_other_records_even_with_the_same_natural_key(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("1", email="ada@x.co"))

    with_id = sealed_run(tmp_path, 2, customer("2", email="ada@x.co"), earlier=[first])
    without = sealed_run(tmp_path, 2, customer("", email="ada@x.co", keyed_by=KeyedBy.CONTENT), earlier=[first])

    assert existing(SealedIndex(with_id)) == {}
    assert existing(SealedIndex(without)) == {0: (record_id(1, 0), NATURAL_MATCH)}


def test_a_match_by_key_goes_before_one_by_natural_key_and_the_oldest_record_wins(tmp_path: Path) -> None:
    other = sealed_run(tmp_path, 1, customer("J-1", email="ada@x.co"), label="jobber")
    older = sealed_run(tmp_path, 2, customer("1", email="old@x.co"))
    newer = sealed_run(tmp_path, 3, customer("S-9", email="ada@x.co"), label="servicetitan")
    ada = customer("1", email="ada@x.co")

    by_key = sealed_run(tmp_path, 4, ada, earlier=[other, older, newer])
    by_natural = sealed_run(tmp_path, 4, ada, earlier=[other, newer])

    assert existing(SealedIndex(by_key)) == {0: (record_id(2, 0), OTHER_CELLS)}
    assert existing(SealedIndex(by_natural)) == {0: (record_id(1, 0), NATURAL_MATCH)}


def test_records_that_were_sealed_and_never_stored_do_not_exist(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("1"), customer("2"))
    plan = make_plan(File("a.csv", [2]), run=2)
    batches = in_one_file([customer("1"), customer("2")])

    index = SealedIndex(seal(tmp_path, plan, batches, earlier=[first], stored=lambda ids: {record_id(1, 1)} & set(ids)))

    assert existing(index) == {1: (record_id(1, 1), SAME_CELLS)}


def test_the_store_is_asked_once_and_for_each_match_once(tmp_path: Path) -> None:
    first = sealed_run(tmp_path, 1, customer("1", email="a@x.co"), customer("2", email="b@x.co"), label="jobber")
    asked: list[list[int]] = []

    def stored(ids: Sequence[int]) -> set[int]:
        asked.append(list(ids))
        return NOBODY

    batches = in_one_file([customer("7", email="b@x.co"), customer("8", email="a@x.co"), customer("9", email="b@x.co")])
    seal(tmp_path, make_plan(File("a.csv", [3]), run=2), batches, earlier=[first], stored=stored)

    assert asked == [[record_id(1, 0), record_id(1, 1)]]


# ---- natural keys that several records share ------------------------------------------------------------------


def test_a_shared_natural_key_is_told_about_the_later_record(tmp_path: Path) -> None:
    batches = in_one_file(
        [customer("1", email="ada@x.co"), customer("2", email="ben@x.co")],
        [customer("3", email="ada@x.co"), customer("4", email="ada@x.co")],
    )

    index = SealedIndex(seal(tmp_path, make_plan(File("a.csv", [2, 2])), reordered(batches, [1, 0])))

    assert shared(index) == {2: (0, 2), 3: (0, 2)}


def test_a_duplicate_shares_its_natural_key_with_nobody(tmp_path: Path) -> None:
    ada = customer("1", email="ada@x.co")

    index = SealedIndex(seal(tmp_path, make_plan(File("a.csv", [2])), in_one_file([ada, ada])))

    assert shared(index) == {}


def test_a_record_that_shares_two_natural_keys_is_told_once(tmp_path: Path) -> None:
    both = Given("2", naturals=["ada@x.co", "ben@x.co"])
    batches = in_one_file([customer("1", email="ada@x.co"), customer("0", email="ben@x.co"), both])

    assert list(shared(SealedIndex(seal(tmp_path, make_plan(File("a.csv", [3])), batches)))) == [2]
