"""What is counted and said of batches that are staged, cancelled or given up."""

from __future__ import annotations

from services.loader.load_planning import decompressed
from services.loader.outcomes import (
    cancelled_counts,
    cancelled_records,
    cancelled_rows,
    given_up_counts,
    given_up_records,
    staged_summary,
)
from shared.messages.batches import CANCELLED, MappedBatch, MappedStream
from shared.messages.control import BatchStaged, EntityCounts
from tests.support.builders import File, customer, job, make_plan, mapped_batch, stream_of

PLAN = make_plan(File("jobs.csv", [3, 5], ["jobs", ("customers", 0), ("customers", 1)]))


def staged(mapped: MappedBatch) -> BatchStaged:
    return BatchStaged.model_validate_json(staged_summary(mapped))


def test_valid_records_are_added_up_over_the_streams_of_a_type() -> None:
    streams = [
        stream_of("jobs", job("1"), job("2")),
        stream_of("customers", customer("1"), slot=0),
        stream_of("customers", customer("2"), customer("3"), slot=1),
    ]

    answer = staged(mapped_batch(PLAN, 0, *streams, errored={"jobs": 1, "contacts": 2}))

    assert answer.entities == {
        "contacts": EntityCounts(errored=2),
        "customers": EntityCounts(valid=3),
        "jobs": EntityCounts(valid=2, errored=1),
    }
    assert (answer.run, answer.batch, answer.given_up) == (1, 0, None)


def test_rows_of_a_batch_that_was_given_up_are_errors_and_those_of_a_cancelled_one_are_skipped() -> None:
    given_up = staged(mapped_batch(PLAN, 0, errored={"jobs": 3}, given_up="ValueError"))
    cancelled = staged(mapped_batch(PLAN, 0, errored={"jobs": 3}, given_up=CANCELLED))

    assert given_up.entities == {"jobs": EntityCounts(errored=3)}
    assert cancelled.entities == {"jobs": EntityCounts(skipped=3)}


def test_the_content_tells_apart_what_decides_and_nothing_else() -> None:
    def content(*streams: MappedStream, errored: int = 0, given_up: str | None = None) -> str:
        return staged(mapped_batch(PLAN, 0, *streams, errored={"jobs": errored}, given_up=given_up)).content

    plain = content(stream_of("jobs", job("1", title="a")))

    assert content(stream_of("jobs", job("1", title="a"), money={"total": 5})) == plain
    others = [
        content(stream_of("jobs", job("1", title="b"))),
        content(stream_of("jobs", job("2", title="a"))),
        content(stream_of("jobs", job("1", title="a"), slot=1)),
        content(stream_of("jobs", job("1", title="a")), errored=1),
    ]
    assert len({plain, *others}) == 5


def test_cancelled_and_given_up_batches_count_their_records_and_money() -> None:
    streams = [
        stream_of("jobs", job("1"), job("2"), money={"total": 1_000}),
        stream_of("jobs", job("3"), slot=1, money={"total": -1, "balance": 2}),
    ]

    assert cancelled_counts(streams) == EntityCounts(skipped=3, money_left_out={"total": 999, "balance": 2})
    assert given_up_counts(streams) == EntityCounts(errored=3, money_left_out={"total": 999, "balance": 2})
    assert cancelled_counts([]) == EntityCounts()


def test_one_problem_tells_of_a_stream_from_its_first_row_on() -> None:
    streams = [stream_of("jobs", job("1"), job("2"), first=3), stream_of("jobs", job("3"), first=4, slot=1)]

    cancelled = decompressed(cancelled_records(streams))
    given_up = decompressed(given_up_records(streams, "The disk is full."))

    assert [(p.severity, p.code, p.line, p.slot) for p in cancelled] == [
        ("skipped", "cancelled", 5, 0),
        ("skipped", "cancelled", 6, 1),
    ]
    assert [(p.severity, p.code, p.record) for p in given_up] == [
        ("error", "batch_given_up", 3),
        ("error", "batch_given_up", 4),
    ]
    assert "2 records" in cancelled[0].message
    assert "The disk is full." in given_up[0].message
    assert decompressed(cancelled_records([])) == []


def test_rows_that_were_never_mapped_are_told_from_their_first_line_on() -> None:
    mapped = mapped_batch(PLAN, 1, errored={"jobs": 5}, given_up=CANCELLED)

    [problem] = decompressed(cancelled_rows(PLAN, mapped))

    assert (problem.code, problem.record, problem.line, problem.entity) == ("cancelled", 3, 5, "jobs")
    assert "5 rows" in problem.message
