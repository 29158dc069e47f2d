"""The linking benchmark in small: its data are what they say, and the links are as right as promised."""

from __future__ import annotations

import pytest

from benchmarks import linking_data
from benchmarks.linking import Figures, figures, link
from benchmarks.linking_data import Generator


@pytest.fixture(scope="module")
def made() -> Generator:
    return Generator(customers=3_000, jobs=6_000, seed=5)


@pytest.fixture(scope="module")
def found(made: Generator, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    outcome, _ = link(made.parents, made.children, tmp_path_factory.mktemp("seal"))
    return figures(made.children, outcome)


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """More strangers than a file has, so that there are a hundred of each kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linking_data, "STRANGER_SHARE", 0.3)
        made = Generator(customers=2_000, jobs=3_000, seed=6)
    outcome, _ = link(made.parents, made.children, tmp_path_factory.mktemp("hard"))
    return figures(made.children, outcome)


def test_same_seed_gives_the_same_data(made: Generator) -> None:
    again = Generator(customers=3_000, jobs=6_000, seed=5)

    assert (again.parents, again.children) == (made.parents, made.children)


def test_a_fifth_of_the_customers_are_namesakes(made: Generator) -> None:
    namesakes = sum(shared > 1 for shared in made.parents.shared)

    assert 0.18 <= namesakes / 3_000 <= 0.20


def test_a_few_jobs_name_a_stranger(made: Generator) -> None:
    assert 0.02 <= made.children.parents.count(-1) / 6_000 <= 0.04


def test_links_are_right(found: Figures) -> None:
    assert found.precision >= 0.999


def test_who_can_be_told_is_found(found: Figures) -> None:
    assert found.recall >= 0.985


def test_strangers_are_not_linked(found: Figures) -> None:
    assert found.strangers_linked <= 0.03


@pytest.mark.parametrize("kind", ["relative", "son", "sister firm"])
def test_strangers_who_share_a_customers_phone_are_not_linked(hard: Figures, kind: str) -> None:
    assert hard.strangers_by_kind[kind] <= 0.05


def test_namesakes_are_not_guessed_between(found: Figures) -> None:
    assert found.guessed == 0
