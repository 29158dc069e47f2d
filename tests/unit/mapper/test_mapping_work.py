from __future__ import annotations

from pathlib import Path

import msgspec

from services.mapper.mapping_plan import MappingSettings
from services.mapper.mapping_work import map_span
from shared.connectors.delimited import land
from shared.messages.batches import CANCELLED, MappedBatch, RawBatch
from tests.unit.mapper.builders import bodies, field, file_mapping, record, stream

encode = msgspec.msgpack.encode
SETTINGS = encode(MappingSettings())
MAPPING = file_mapping("Job #|Title", record("jobs", field("number", 0), field("title", 1))).model_dump_json().encode()


def raw(batch: int, *, cancelled: bool = False) -> bytes:
    return encode(RawBatch(account="main", session="s", run=1, batch=batch, file=0, plan="p", cancelled=cancelled))


def test_spans_of_a_landed_file_are_mapped_each_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text('Job #,Title\n1,"Fix\nboiler"\n2,Duct\n3,Pipe\n', encoding="utf-8")
    landed = land(path, batch_records=2)
    reading = encode(landed.reading)

    answers = [
        msgspec.msgpack.decode(
            map_span(str(path), reading, encode(span), MAPPING, SETTINGS, raw(number)), type=MappedBatch
        )
        for number, span in enumerate(landed.spans)
    ]

    titles = [[body["title"] for body in bodies(stream(answer, "jobs"))] for answer in answers]
    assert titles == [["Fix\nboiler", "Duct"], ["Pipe"]]
    assert [list(memoryview(stream(a, "jobs").numbers).cast("I")) for a in answers] == [[0, 1], [2]]
    assert [list(memoryview(stream(a, "jobs").lines).cast("I")) for a in answers] == [[2, 4], [5]]


def test_cancelled_batch_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("Job #,Title\n1,Fix\n2,Duct\n", encoding="utf-8")
    landed = land(path)
    reading, span = encode(landed.reading), encode(landed.spans[0])
    path.unlink()

    body = map_span(str(path), reading, span, MAPPING, SETTINGS, raw(0, cancelled=True))

    answer = msgspec.msgpack.decode(body, type=MappedBatch)
    assert (answer.given_up, answer.errored) == (CANCELLED, {"jobs": 2})
