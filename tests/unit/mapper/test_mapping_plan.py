from __future__ import annotations

import msgspec
import pytest

from services.mapper.mapping_plan import MappingSettings, compile_file, missing_expected, missing_required, plan_of
from shared.catalog.model import load_catalog
from shared.errors import BadInputError
from shared.messages.mapping import FileMapping, MappingDocument
from tests.unit.mapper.builders import field, file_mapping, record

NUMBER = field("number", 0)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (file_mapping("A", record("ships", NUMBER)), "no entity type 'ships'"),
        (file_mapping("A", record("jobs", NUMBER, field("tonnage", 0))), "no field 'tonnage'"),
        (file_mapping("A", record("jobs", NUMBER, field("title", 1))), "column 1, but the file has 1 columns"),
        (file_mapping("A|B", record("jobs", NUMBER, field("number", 1))), "two columns feed jobs.number"),
        (file_mapping("A", record("jobs", NUMBER, field("title", None))), "neither a column nor a default"),
        (file_mapping("A", record("jobs", NUMBER, field("customer", 0))), "by what it names its parent"),
        (file_mapping("A", record("jobs", NUMBER, field("title", 0, by="name"))), "jobs.title is no reference"),
        (file_mapping("A", record("jobs", NUMBER, field("customer", 0, by="row"))), "makes no customers first"),
        (file_mapping("A", record("jobs", NUMBER, field("status", 0, values={"x": "y"}))), "cannot be 'y'"),
        (file_mapping("A", record("jobs", NUMBER, field("total", None, default="much"))), "default 'much'"),
        (file_mapping("A", record("jobs", field("number", 0, time_unit="days"))), "jobs.number holds no hours"),
        (file_mapping("A", record("jobs", field("job_type", 0))), "Title or Description or Job number"),
        (file_mapping("A", record("invoices", field("title", 0))), "Invoice number"),
        (file_mapping("A", record("jobs", NUMBER, primary=False)), "0 of its records are primary"),
        (file_mapping("A", record("jobs", NUMBER), record("jobs", NUMBER, primary=False)), "slot 0 is there twice"),
    ],
)
def test_mapping_that_cannot_work_is_refused_by_name(mapping: FileMapping, said: str) -> None:
    with pytest.raises(BadInputError) as refused:
        compile_file(mapping, MappingSettings())

    assert said in refused.value.message
    assert "file.csv" in refused.value.message
    assert refused.value.next_step


def test_missing_groups_are_listed_by_file_and_entity() -> None:
    document = MappingDocument(
        files=(
            file_mapping("A", record("invoices", field("title", 0))),
            file_mapping("A", record("customers", field("name", 0))),
            file_mapping("A", record("customers", field("email", 0))),
        )
    )

    assert missing_required(document, load_catalog()) == [
        ("file.csv", "invoices", ("number",)),
        ("file.csv", "customers", ("name", "company", "last_name")),
    ]
    assert missing_expected(document, load_catalog()) == [
        ("file.csv", "customers", ("email", "phone", "mobile_phone")),
    ]


def test_compiled_plan_is_kept_for_the_same_mapping() -> None:
    mapping = file_mapping("A", record("jobs", NUMBER)).model_dump_json().encode()
    settings = msgspec.msgpack.encode(MappingSettings())

    assert plan_of(mapping, settings) is plan_of(mapping, settings)
