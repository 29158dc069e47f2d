from __future__ import annotations

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
