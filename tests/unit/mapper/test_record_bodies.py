"""Bodies put together from columns are the JSON objects that joining the members one by one would give."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from services.mapper.record_bodies import encode_bodies
from services.mapper.transforms.cells import Members, escaped

ROWS = 3
column = st.lists(st.sampled_from(["", "a", 'say "hi"', "a\nb", "é"]), min_size=ROWS, max_size=ROWS)


def member_columns(prefix: str, columns: list[list[str]]) -> list[Members]:
    return [Members(f'"{prefix}{n}":"', escaped(texts), '"') for n, texts in enumerate(columns)]


def expected(columns: list[list[str]], originals: list[list[str]], row: int) -> dict[str, object]:
    body: dict[str, object] = {f"m{n}": texts[row] for n, texts in enumerate(columns) if texts[row]}
    kept = {f"o{n}": texts[row] for n, texts in enumerate(originals) if texts[row]}
    return body | ({"_original": kept} if kept else {})


@given(columns=st.lists(column, max_size=5), originals=st.lists(column, max_size=4))
@settings(max_examples=300, deadline=None)
def test_each_body_holds_the_members_its_row_has(columns: list[list[str]], originals: list[list[str]]) -> None:
    bodies = encode_bodies(member_columns("m", columns), member_columns("o", originals), ROWS)

    assert [json.loads(body) for body in bodies] == [expected(columns, originals, row) for row in range(ROWS)]


def test_members_stand_in_the_order_of_the_columns() -> None:
    columns = [["", "b"], ["c", "d"], ["e", ""], ["f", "g"]]

    bodies = encode_bodies(member_columns("m", columns), [], 2)

    assert bodies == [b'{"m1":"c","m2":"e","m3":"f"}', b'{"m0":"b","m1":"d","m3":"g"}']


def test_no_rows_make_no_bodies() -> None:
    assert encode_bodies([], [], 0) == []
