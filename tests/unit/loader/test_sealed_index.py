"""Look-ups in sealed indexes: keys, links, redirected ids, several runs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loader.sealed_index import ARRAYS, ParentIndex, SealedIndex, expand, find_sorted, write_index
from shared.catalog.identity import LinkKind, link_keys
from shared.errors import PermanentError
from shared.messages.plan import record_id
from tests.support.builders import File, customer, make_plan, seal, stream_of

ADA, BEN = customer("1", "Ada Abbot", email="ada@x.co"), customer("2", "Ben Brand")


def written(folder: Path, run: int = 1, **arrays: Sequence[int]) -> SealedIndex:
    """An index of the given arrays."""
    parts = {}
    for name, values in arrays.items():
        parts[name] = folder / f"{run}-{name}"
        parts[name].write_bytes(np.array(values, ARRAYS[name]).tobytes())
    path = folder / f"{run}.seal"
    write_index(path, run=run, entity="customers", label="files", parts=parts)
    return SealedIndex(path)


def u64(*values: int) -> Any:
    return np.array(values, np.uint64)


def pairs(found: tuple[Any, Any]) -> list[tuple[int, int]]:
    return sorted(zip(found[0].tolist(), found[1].tolist(), strict=True))


def everybody(index: ParentIndex, hashes: Any) -> tuple[Any, Any]:
    found = index.holders(hashes, most=99, listed=99)
    return found.owners, found.ids


def link(kind: LinkKind, *texts: str) -> Any:
    return link_keys("customers", kind, texts, "files")


def test_arrays_come_back_as_they_were_written(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {name: range(n, 3 * n) for n, name in enumerate(ARRAYS)}

    index = written(tmp_path, **arrays)

    assert {name: index[name].tolist() for name in ARRAYS} == {name: list(values) for name, values in arrays.items()}
    assert {name: index[name].dtype for name in ARRAYS} == {name: np.dtype(kind) for name, kind in ARRAYS.items()}


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"Name,Phone\nAda,1\n" * 20)

    with pytest.raises(PermanentError, match="not a sealed index"):
        SealedIndex(tmp_path / "x")


# ---- keys -----------------------------------------------------------------------------------------------------


def test_keys_with_equal_upper_halves_are_told_apart_by_the_lower_ones(tmp_path: Path) -> None:
    index = written(tmp_path, key_high=[5, 7, 7, 7, 9], key_low=[1, 10, 20, 30, 1])

    at, hit = index.by_key(u64(7, 7, 7, 7, 5, 9, 9, 0, 99), u64(30, 10, 20, 25, 1, 1, 2, 0, 1))

    assert hit.tolist() == [True, True, True, False, True, True, False, False, False]
    assert at[hit].tolist() == [3, 1, 2, 0, 4]


def test_no_key_is_found_in_an_empty_index(tmp_path: Path) -> None:
    _, hit = written(tmp_path).by_key(u64(0, 1), u64(0, 1))

    assert hit.tolist() == [False, False]


@settings(max_examples=60, deadline=None)
@given(
    stored=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12),
    asked=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12),
)
def test_exactly_the_stored_keys_are_found(
    tmp_path_factory: pytest.TempPathFactory, stored: set[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    keys = sorted(stored)
    index = written(tmp_path_factory.mktemp("keys"), key_high=[h for h, _ in keys], key_low=[low for _, low in keys])

    at, hit = index.by_key(u64(*(h for h, _ in asked)), u64(*(low for _, low in asked)))

    assert hit.tolist() == [key in stored for key in asked]
    assert [keys[place] for place in at[hit].tolist()] == [key for key in asked if key in stored]


# ---- links ----------------------------------------------------------------------------------------------------


def test_pairs_name_every_record_with_a_hash_and_a_zero_finds_nothing(tmp_path: Path) -> None:
    index = written(tmp_path, link_hash=[0, 3, 3, 5, 8], link_slot=[9, 0, 4, 1, 2])

    found = index.pairs("link", u64(8, 0, 3, 4, 3, 2**64 - 1))

    assert pairs(found) == [(0, record_id(1, 2)), *((i, record_id(1, slot)) for i in (2, 4) for slot in (0, 4))]


def test_ids_of_records_that_existed_before_are_the_old_ones(tmp_path: Path) -> None:
    index = written(tmp_path, run=3, existing_slot=[1, 4], existing_id=[record_id(1, 7), record_id(2, 0)])

    ids = index.ids(np.array([0, 1, 4, 5], np.uint32))

    assert ids.tolist() == [record_id(3, 0), record_id(1, 7), record_id(2, 0), record_id(3, 5)]


def test_links_of_a_duplicate_lead_to_the_record_that_won(tmp_path: Path) -> None:
    again = customer("1", "Ada Brand-Abbot", email="other@x.co")

    index = SealedIndex(seal(tmp_path, make_plan(File("a.csv", [3])), {0: [stream_of("customers", ADA, BEN, again)]}))

    assert pairs(index.pairs("link", link(LinkKind.EMAIL, "ada@x.co", "other@x.co"))) == [
        (0, record_id(1, 0)),
        (1, record_id(1, 0)),
    ]


# ---- several runs ---------------------------------------------------------------------------------------------


def runs(tmp_path: Path, *stored: Mapping[str, bool]) -> list[SealedIndex]:
    """Indexes of runs over the same two customers; each mapping says whether a run's records were stored."""
    paths: list[Path] = []
    kept: set[int] = set()
    for run, is_stored in enumerate(stored, start=1):
        plan = make_plan(File("a.csv", [2]), run=run)
        batches = {0: [stream_of("customers", ADA, BEN)]}
        paths.append(seal(tmp_path, plan, batches, earlier=paths, stored=kept.intersection))
        kept.update(record_id(run, slot) for slot, name in enumerate(("ada", "ben")) if is_stored[name])
    return [SealedIndex(path) for path in paths]


YES, NO = {"ada": True, "ben": True}, {"ada": False, "ben": False}


def test_a_record_of_several_runs_is_one(tmp_path: Path) -> None:
    parents = ParentIndex(runs(tmp_path, YES, YES, YES))

    assert pairs(everybody(parents, link(LinkKind.SOURCE_ID, "1", "2", "3"))) == [
        (0, record_id(1, 0)),
        (1, record_id(1, 1)),
    ]


def test_a_record_that_an_earlier_run_sealed_and_did_not_store_is_no_namesake_of_itself(tmp_path: Path) -> None:
    parents = ParentIndex(runs(tmp_path, {"ada": True, "ben": False}, YES))

    found = pairs(everybody(parents, link(LinkKind.NAME, "abbot ada", "ben brand")))

    assert found == [(0, record_id(1, 0)), (1, record_id(2, 1))]


@pytest.mark.parametrize("newest_first", [False, True])
def test_after_two_cancelled_runs_the_third_one_has_the_records(tmp_path: Path, newest_first: bool) -> None:
    indexes = runs(tmp_path, NO, NO, YES, YES)

    parents = ParentIndex(indexes[::-1] if newest_first else indexes)

    assert pairs(everybody(parents, link(LinkKind.SOURCE_ID, "1"))) == [(0, record_id(3, 0))]


def test_namesakes_that_were_never_stored_stay_namesakes(tmp_path: Path) -> None:
    other = customer("9", "Ada Abbot")
    first = seal(tmp_path, make_plan(File("a.csv", [1])), {0: [stream_of("customers", other)]})
    second = seal(
        tmp_path,
        make_plan(File("b.csv", [1]), run=2),
        {0: [stream_of("customers", ADA)]},
        earlier=[first],
        stored=lambda ids: set(),
    )

    parents = ParentIndex([SealedIndex(second), SealedIndex(first)])

    assert pairs(everybody(parents, link(LinkKind.NAME, "abbot ada"))) == [(0, record_id(1, 0)), (0, record_id(2, 0))]


def test_of_a_hash_of_many_records_only_the_first_ones_are_listed(tmp_path: Path) -> None:
    index = ParentIndex([written(tmp_path, link_hash=[3, 3, 3, 5], link_slot=[0, 4, 6, 1])])

    found = index.holders(u64(5, 3, 3, 4), most=2, listed=1)

    assert pairs((found.owners, found.ids)) == [(0, record_id(1, 1)), (1, record_id(1, 0)), (2, record_id(1, 0))]
    assert found.crowded.tolist() == [False, True, True, False]


def test_records_of_several_runs_are_counted_together(tmp_path: Path) -> None:
    indexes = [written(tmp_path, run=run, link_hash=[3], link_slot=[7]) for run in (1, 2, 3)]

    assert ParentIndex(indexes[:2]).holders(u64(3), most=2, listed=1).crowded.tolist() == [False]
    assert ParentIndex(indexes).holders(u64(3), most=2, listed=1).crowded.tolist() == [True]


@settings(max_examples=60, deadline=None)
@given(
    stored=st.sets(st.tuples(st.integers(1, 4), st.integers(0, 6)), max_size=14),
    asked=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 7)), max_size=12),
)
def test_a_record_holds_exactly_its_hashes(
    tmp_path_factory: pytest.TempPathFactory, stored: set[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    entries = sorted(stored)
    folder = tmp_path_factory.mktemp("held")
    index = written(folder, link_hash=[h for h, _ in entries], link_slot=[slot for _, slot in entries])

    held = ParentIndex([index]).holds(u64(*(h for h, _ in asked)), u64(*(record_id(1, slot) for _, slot in asked)))

    assert held.tolist() == [entry in stored for entry in asked]


def test_a_record_of_an_earlier_run_holds_what_a_later_one_says_of_it(tmp_path: Path) -> None:
    first = written(tmp_path, run=1, link_hash=[3], link_slot=[0])
    later = written(tmp_path, run=2, link_hash=[5], link_slot=[9], existing_slot=[9], existing_id=[record_id(1, 0)])

    held = ParentIndex([first, later]).holds(u64(3, 5, 5), u64(*[record_id(1, 0)] * 2, record_id(1, 1)))

    assert held.tolist() == [True, True, False]


def test_without_any_index_nothing_is_known(tmp_path: Path) -> None:
    nothing = ParentIndex([])

    assert nothing.is_empty
    assert pairs(everybody(nothing, u64(1, 2))) == []
    assert not ParentIndex(runs(tmp_path, YES)).is_empty


# ---- pieces ---------------------------------------------------------------------------------------------------


def test_ranges_are_flattened_with_their_owners() -> None:
    owners, places = expand(np.array([3, 0, 5]), np.array([5, 0, 6]))

    assert list(zip(owners.tolist(), places.tolist(), strict=True)) == [(0, 3), (0, 4), (2, 5)]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 20)), st.lists(st.integers(0, 25)))
def test_find_sorted_finds_what_is_there(values: set[int], asked: list[int]) -> None:
    known = sorted(values)

    at, found = find_sorted(np.array(known, np.int64), np.array(asked, np.int64))

    assert found.tolist() == [value in values for value in asked]
    assert [known[i] for i in at[found].tolist()] == [value for value in asked if value in values]
