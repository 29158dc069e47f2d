"""Presets: their data, when they speak, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib import resources
from typing import Any

import pytest
import yaml

from services.analyze.entity_detection import detect
from services.mapper.known_shapes import informed_proposal
from services.mapper.presets import STRENGTHS, load_presets, platforms_named_in, preset_hints, read_presets
from shared.catalog.lexicon import platform_label
from shared.errors import ConfigurationError
from tests.support.sampled import JOBBER_CLIENTS, sampled

PLATFORMS = {
    "fieldedge", "housecall_pro", "jobber", "servicenow", "servicetitan", "servicetracker", "workday", "workiz"
}  # fmt: skip


def preset_files() -> list[dict[str, Any]]:
    folder = resources.files("services.mapper").joinpath("preset_data")
    return [yaml.safe_load(file.read_text()) for file in folder.iterdir() if file.name.endswith(".yaml")]


def said(headers: Sequence[str], entity: str, *platforms: str) -> dict[str, str | None]:
    return {headers[hint.column]: hint.field for hint in preset_hints(headers, entity, platforms)}


def test_every_platform_of_the_source_list_has_a_preset() -> None:
    assert {layout.platform for layout in load_presets()} == PLATFORMS


@pytest.mark.parametrize("preset", preset_files(), ids=lambda preset: preset["platform"])
def test_a_preset_says_its_version_date_sources_and_the_evidence_of_each_mapping(preset: dict[str, Any]) -> None:
    assert preset["version"] >= 1
    assert isinstance(preset["checked"], date)
    for layout in preset["layouts"]:
        assert layout["source"], layout["name"]
        assert layout["origin"] in ("export", "api", "template")
        assert set(layout["columns"]) <= set(STRENGTHS)
        assert all(layout["columns"].values())


@pytest.mark.parametrize(
    ("platform", "entity", "header", "field"),
    [
        ("servicetitan", "customers", "customer_name", "name"),
        ("servicetitan", "jobs", "customer_name", "customer"),
        ("jobber", "customers", "client_email", "email"),
        ("housecall_pro", "jobs", "work_order_date", "scheduled_start"),
        ("housecall_pro", "customers", "company_name", None),
        ("jobber", "pricebook", "defaultUnitCost", "unit_price"),
        ("servicenow", "jobs", "short_description", "title"),
        ("workday", "employees", "Supervisory Organization", "department"),
    ],
)
def test_what_is_known_of_a_platform_is_said(platform: str, entity: str, header: str, field: str | None) -> None:
    assert said([header], entity, platform) == {header: field}


def test_headers_are_compared_without_case_spaces_and_punctuation() -> None:
    assert said(["JOB  #", "Client_Name"], "jobs", "jobber") == {"JOB  #": "number", "Client_Name": "customer"}


def test_without_a_named_platform_a_few_usual_headers_are_no_known_export() -> None:
    assert said(["Name", "Phone", "Colour", "Shoe size", "Mood"], "customers") == {}


def test_without_a_named_platform_a_whole_known_header_row_speaks_a_little_less_surely() -> None:
    headers = ["Customer", "Equip. Name", "Manufacturer", "Model", "Serial #", "Equip. Type", "Install"]

    [unnamed, *_] = preset_hints(headers, "equipment", ())
    [named, *_] = preset_hints(headers, "equipment", {"fieldedge"})

    assert unnamed.field == named.field == "customer"
    assert unnamed.strength < named.strength


def test_the_evidence_tag_decides_how_strong_a_preset_is() -> None:
    [vendor] = preset_hints(["createdOn"], "customers", {"servicetitan"})
    [assumed] = preset_hints(["BillingStreet"], "customers", {"servicetracker"})

    assert vendor.strength == STRENGTHS["V"]
    assert assumed.strength == STRENGTHS["K"]


def test_a_reason_names_preset_version_and_evidence() -> None:
    [hint] = preset_hints(["client_email"], "customers", {"jobber"})

    assert hint.reason == (
        "The Jobber preset (flat client list, version 1) takes “client_email” for email: seen in such files."
    )


@pytest.mark.parametrize(
    ("text", "platforms"),
    [
        ("HousecallPro jobs export.csv", {"housecall_pro"}),
        ("Service Titan (old)", {"servicetitan"}),
        ("jobs.csv", set()),
        ("workday_workers.csv", {"workday"}),
    ],
)
def test_a_file_name_or_label_can_name_the_platform(text: str, platforms: set[str]) -> None:
    assert platforms_named_in(text) == platforms


def test_a_preset_that_names_an_unknown_field_is_refused() -> None:
    raw = {
        "platform": "x", "label": "X", "version": 1, "layouts": [
            {"name": "n", "entity": "customers", "origin": "export", "source": "s", "columns": {"V": {"A": "nmae"}}},
        ],
    }  # fmt: skip

    with pytest.raises(ConfigurationError, match="nmae"):
        read_presets("x.yaml", raw)


def test_a_preset_decides_what_header_and_values_leave_open() -> None:
    jobs = sampled(
        "housecall pro.csv",
        ["Job #", "work_order_date", "Job description"],
        ["1", "01/02/2026", "AC repair"],
        ["2", "01/03/2026", "Drain cleaning"],
    )

    [file] = informed_proposal(detect([jobs]), entities={"housecall pro.csv": "jobs"}).document.files

    scheduled = next(field for field in file.records[0].fields if field.header == "work_order_date")
    assert scheduled.field == "scheduled_start"
    assert "Housecall Pro preset" in scheduled.reasons[0]


def test_the_platform_of_one_file_speaks_for_the_others_of_its_session() -> None:
    other = sampled("more.csv", ["Client name", "client_email"], ["Ann Smith", "ann@example.com"])

    informed = informed_proposal(detect([JOBBER_CLIENTS, other]), entities={"more.csv": "customers"})

    assert {hint.origin for hint in informed.hints[1].hints} == {"preset"}


def test_a_column_whose_values_contradict_a_guess_is_not_taken_for_it() -> None:
    accounts = sampled(
        "servicetracker.csv",
        ["Account Name", "Phone", "Fax"],
        ["Ann Smith", "(602) 555-0101", "ann@example.com"],
        ["Bob Hill", "(602) 555-0102", "bob@example.com"],
        ["Cy Jones", "(602) 555-0103", "cy@example.com"],
    )

    [file] = informed_proposal(detect([accounts]), entities={"servicetracker.csv": "customers"}).document.files

    fax = [field for field in file.records[0].fields if field.header == "Fax"]
    assert all(field.field != "fax" or field.confidence < 0.8 for field in fax)


def test_a_file_of_unknown_origin_is_told_no_column_that_feeds_nothing() -> None:
    headers = ["Name", "Address", "Phone", "Email", "Active", "Company"]

    assert said(headers, "customers", "fieldedge")["Address"] is None
    assert "Address" not in said(headers, "customers")


@pytest.mark.parametrize(
    ("entity", "headers"),
    [
        (
            "estimates",
            "Customer|Quote #|Date|Status|Expiration|Amount|Balance|Sales Person|Address 1|Address 2|City|State|Zip|"
            "Primary Phone|Primary Email|Lead Source|Task|Resulting WO",
        ),
        (
            "equipment",
            "Customer|Address|Equip. Name|Manufacturer|Model|Serial #|Equip. Type|Install|Parts Warranty|"
            "Labor Warranty|Replace Date|Primary Email|Primary Phone|Address 1|Address 2|City|State|Zip",
        ),
    ],
)
def test_every_column_of_an_export_whose_header_row_is_listed_is_known(entity: str, headers: str) -> None:
    assert set(said(headers.split("|"), entity, "fieldedge")) == set(headers.split("|"))


def test_servicetitan_s_contacts_and_stocked_items_are_known() -> None:
    assert said(["customerId", "phoneSettings.phoneNumber"], "contacts", "servicetitan") == {
        "customerId": "customer",
        "phoneSettings.phoneNumber": "phone",
    }
    assert said(["code", "displayName", "isInventory"], "inventory", "servicetitan") == {
        "code": "sku",
        "displayName": "name",
        "isInventory": None,
    }


def test_what_no_source_lists_is_marked_as_assumed() -> None:
    [hint] = preset_hints(["Customer Tags"], "customers", {"housecall_pro"})

    assert hint.strength == STRENGTHS["K"]


def test_a_money_unit_nobody_knows_is_refused() -> None:
    layout = {"name": "n", "entity": "jobs", "origin": "api", "source": "s", "columns": {}, "money_unit": "pence"}

    with pytest.raises(ConfigurationError, match="pence"):
        read_presets("x.yaml", {"platform": "x", "label": "X", "version": 1, "layouts": [layout]})


def test_platforms_are_called_the_same_by_presets_and_detection() -> None:
    labels = {(layout.platform, layout.label) for layout in load_presets()}

    assert {(platform, platform_label(platform)) for platform, _ in labels} == labels


def test_headers_that_many_platforms_have_are_no_known_export() -> None:
    assert said(["Name", "Address", "City", "Phone", "Phone", "Name", "Email", "Email"], "customers") == {}
