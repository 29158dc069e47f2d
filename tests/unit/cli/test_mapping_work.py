"""Ids of remembered mappings, given by how they begin."""

from __future__ import annotations

import pytest

from services.cli.mapping_work import whole_ids
from shared.errors import BadInputError

KNOWN = ["abc111", "abd222", "abd2223"]


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["abc"], ["abc111"]),
        (["abd222"], ["abd222"]),
        (["abc", "abc1"], ["abc111"]),
        (["zzz"], ["zzz"]),
        ([""], [""]),
    ],
)
def test_a_beginning_that_only_one_id_has_stands_for_it(given: list[str], ids: list[str]) -> None:
    assert whole_ids(KNOWN, given) == ids


def test_a_beginning_of_several_ids_is_refused() -> None:
    with pytest.raises(BadInputError, match="2 remembered mappings begin with abd"):
        whole_ids(KNOWN, ["abc", "abd"])
