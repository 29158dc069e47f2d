from __future__ import annotations

from datetime import date, timedelta

import pytest

from services.analyze.column_relations import _wholes_and_parts
from services.analyze.profiles import profile_columns


def _kinds(*columns: list[str]) -> list[dict[str, float]]:
    rows = [list(row) for row in zip(*columns, strict=True)]
    return [profile.kinds for profile in profile_columns([""] * len(columns), rows, len(rows))]


def test_a_sum_and_its_parts_are_found() -> None:
    subtotal, tax, total = _kinds(
        ["$100.00", "$50.00", "$1,200.00"], ["$8.00", "$4.00", "$96.00"], ["$108.00", "$54.00", "$1,296.00"]
    )
    assert (subtotal.get("greater_part"), tax.get("smaller_part"), total.get("is_sum")) == (1.0, 1.0, 1.0)


def test_amounts_that_do_not_add_up_are_no_sum() -> None:
    kinds = _kinds(["$1.00", "$5.00", "$9.00"], ["$2.00", "$6.00", "$1.00"], ["$9.00", "$8.00", "$7.00"])
    assert not any("is_sum" in kind for kind in kinds)


def test_dates_are_put_in_order_whatever_their_form() -> None:
    issued, due = _kinds(["01/05/2024", "02/05/2024", "12/20/2023"], ["02/04/2024", "03/06/2024", "01/19/2024"])
    assert (issued["date_earliest"], due["date_latest"]) == (1.0, 1.0)


def test_the_only_date_of_a_file_is_known_as_such() -> None:
    [kinds] = _kinds(["2024-01-05", "2024-02-05", "2024-03-05"])
    assert kinds["date_alone"] == 1.0


def test_parts_of_a_full_name_are_told_from_each_other() -> None:
    full, first, last = _kinds(["Ann Smith", "Bob Hill", "Cy Jones"], ["Ann", "Bob", "Cy"], ["Smith", "Hill", "Jones"])
    assert (full.get("has_parts"), first.get("front_part"), last.get("back_part")) == (1.0, 1.0, 1.0)


def test_e_mails_point_to_the_people_they_are_made_of() -> None:
    own, other, _ = _kinds(
        ["Ann Smith", "Bob Hill", "Cyd Jones"],
        ["Dora Weber", "Emil Stone", "Fay Brooks"],
        ["ann.smith@example.com", "bhill@example.com", "cjones@example.com"],
    )
    assert own.get("in_email") == 1.0
    assert "in_email" not in other


def _days(order: str, gap: int) -> list[str]:
    """Days of a year, a fixed number of days later."""
    return [(date(2024, 1, 3) + timedelta(day + gap)).strftime(order) for day in range(0, 320, 9)]


@pytest.mark.parametrize("order", ["%d/%m/%Y", "%m/%d/%Y"])
@pytest.mark.parametrize("gap", [3, 14, 30])
def test_dates_are_compared_in_the_order_they_are_written_in(order: str, gap: int) -> None:
    issued, due = _kinds(_days(order, 0), _days(order, gap))
    assert (issued.get("date_earliest"), due.get("date_latest")) == (1.0, 1.0)


def test_a_date_that_does_not_tell_its_order_is_read_like_the_others() -> None:
    issued = ["13/01/2024", "14/02/2024", "15/03/2024", "16/04/2024"]
    paid = ["01/02/2024", "02/03/2024", "03/04/2024", "05/05/2024"]
    earlier, later = _kinds(issued, paid)
    assert (earlier.get("date_earliest"), later.get("date_latest")) == (1.0, 1.0)


def test_only_columns_that_share_words_are_compared() -> None:
    apart = {at: [[f"word{at}{row}"] for row in range(5)] for at in range(50)}
    assert _wholes_and_parts(apart) == []
    full = [["ann", "smith"], ["bob", "hill"], ["cy", "jones"]]
    assert _wholes_and_parts({**apart, 50: [*full, [], []], 51: [[name[0]] for name in full] + [[], []]}) == [(50, 51)]


def _line_kinds(*columns: tuple[str, list[str]]) -> dict[str, dict[str, float]]:
    rows = [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]
    return {p.header: dict(p.kinds) for p in profile_columns([header for header, _ in columns], rows, len(rows))}


@pytest.mark.parametrize("amounts", [["100", "50", "20", "30", "40"], ["75", "75", "30", "30", "30"]])
def test_amounts_of_lines_are_told_from_those_of_the_document(amounts: list[str]) -> None:
    kinds = _line_kinds(
        ("Invoice #", ["7", "7", "8", "8", "8"]), ("Amount", amounts), ("Invoice Total", ["150", "150", *["90"] * 3])
    )
    assert kinds["Invoice #"].get("names_lines") == 1.0
    assert "of_line" in kinds["Amount"]
    assert "of_document" in kinds["Invoice Total"]


def test_where_every_number_is_there_once_there_are_no_lines() -> None:
    kinds = _line_kinds(("Invoice #", ["7", "8", "9", "10"]), ("Job #", ["1", "1", "2", "2"]), ("Amount", list("5678")))
    assert not any({"of_line", "of_document", "names_lines"} & own.keys() for own in kinds.values())
