from __future__ import annotations

import pytest

from shared.catalog.date_order import DateOrder, agreed_order, decide_date_order, open_date


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["01/02/2026", "15/01/2026"], "dmy"),
        (["01/02/2026", "01/15/2026 9:00 AM"], "mdy"),
        (["2026-01-02", "2026-01-15"], "ymd"),
        (["2026-01-15", "15.01.2026"], "dmy"),
        (["15/01/2026", "01/15/2026"], None),
        (["01/02/2026"], None),
        (["", "-", "Jan 15, 2026"], None),
        ([], None),
    ],
)
def test_order_is_decided_from_evidence(values: list[str], order: DateOrder | None) -> None:
    assert decide_date_order(values) == order


def test_a_date_is_open_where_both_orders_give_a_day_and_another_one() -> None:
    assert open_date(["", "2026-06-07", "06/06/2026", "15/06/2026", "6 Jul 2026"]) is None
    assert open_date(["06/06/2026", "06/07/2026 9:00 AM"]) == "06/07/2026 9:00 AM"


def test_columns_agree_on_an_order_where_none_contradicts() -> None:
    assert agreed_order(["dmy", None, "ymd", "dmy"]) == "dmy"
    assert agreed_order(["dmy", "mdy"]) is None
    assert agreed_order([None, "ymd"]) is None
