"""The catalogue that ships, and faults of one: each error names its place."""

from __future__ import annotations

import textwrap
from importlib import resources

import pytest
import yaml

from shared.catalog import FieldType, load_catalog
from shared.catalog.model import parse_catalog
from shared.errors import ConfigurationError

GOOD = """
    version: 3
    entities:
      customers:
        label: Customers
        load_order: 10
        natural_key: [[email], [phone, name]]
        require_any: [[name, email]]
        fields:
          source_id: {type: text}
          name: {type: text, label: Full name, required: true}
          email: {type: email}
          phone: {type: phone, strict: true}
      jobs:
        label: Jobs
        load_order: 20
        fields:
          source_id: {type: text}
          customer: {type: ref, ref: customers}
          status: {type: enum, values: [open, done]}
    extended:
      notes:
        label: Notes
        load_order: 30
        fields: {source_id: {type: text}, job: {type: ref, ref: jobs, many: true}}
"""


def good() -> str:
    return textwrap.dedent(GOOD)


def changed(old: str, new: str) -> str:
    assert old in good(), old
    return good().replace(old, new, 1)


def test_a_catalogue_is_read_as_it_is_written() -> None:
    catalog = parse_catalog(good())

    customers, jobs, notes = catalog["customers"], catalog["jobs"], catalog["notes"]
    assert (catalog.version, [e.name for e in catalog.detectable()]) == (3, ["customers", "jobs"])
    assert customers.natural_key == (("email",), ("phone", "name"))
    assert customers.required_groups() == [("name", "email"), ("name",)]
    assert [(f.label, f.required, f.strict) for f in customers.fields.values()] == [
        ("source_id", False, False),
        ("Full name", True, True),
        ("email", False, False),
        ("phone", False, True),
    ]
    assert jobs.fields["status"].values == ("open", "done")
    assert [(f.name, f.ref, f.many) for f in notes.refs()] == [("job", "jobs", True)]
    assert ("customers" in catalog, "nobody" in catalog) == (True, False)


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        ("{type: email}", "{type: mail}", "customers.email", "type must be one of"),
        ("{type: email}", "{label: x}", "customers.email", "type must be one of"),
        ("{type: email}", "{type: email, lable: x}", "customers.email", "unknown keys ['lable']"),
        ("{type: email}", "email", "customers.email", "must be a mapping"),
        ("{type: email}", "", "customers.email", "must be a mapping"),
        ("{type: ref, ref: customers}", "{type: ref}", "jobs.customer", "names the entity type it points to"),
        ("{type: email}", "{type: email, ref: jobs}", "customers.email", "names the entity type it points to"),
        ("{type: ref, ref: customers}", "{type: ref, ref: clients}", "jobs.customer", "no entity type 'clients'"),
        ("{type: ref, ref: customers}", "{type: ref, ref: notes}", "jobs.customer", "loaded before its child"),
        ("{type: ref, ref: customers}", "{type: ref, ref: jobs}", "jobs.customer", "loaded before its child"),
        ("values: [open, done]", "values: []", "jobs.status", "lists its values"),
        ("{type: email}", "{type: email, values: [a]}", "customers.email", "lists its values"),
        ("{type: email}", "{type: email, many: true}", "customers.email", "many is for references"),
        ("[phone, name]", "[phone, nmae]", "customers.natural_key", "no field 'nmae'"),
        ("[[name, email]]", "[[name, mail]]", "customers.require_any", "no field 'mail'"),
        ("[[name, email]]", "[[]]", "customers.require_any", "an empty group"),
        ("[[name, email]]", "[name, email]", "customers.require_any", "list of lists"),
        ("load_order: 20", "load_order: 10", "load_order", "two entity types share a place"),
        ("load_order: 20", "load_order: soon", "jobs.load_order", "whole number"),
        ("    load_order: 20\n", "", "jobs", "missing keys ['load_order']"),
        ("    label: Jobs\n", "", "jobs", "missing keys ['label']"),
        ("label: Jobs", "label: Jobs\n    colour: red", "jobs", "unknown keys ['colour']"),
        ("  notes:", "  jobs:", "jobs", "defined twice"),
        ("source_id: {type: text}, job", "id: {type: text}, job", "notes", "has a source_id"),
        ("version: 3\n", "", "the document", "missing keys ['version']"),
        ("version: 3", "version: new", "version", "whole number"),
        ("extended:", "extendet:", "the document", "unknown keys ['extendet']"),
        ("version: 3", "version: [3", "its YAML", "line"),
    ],
)
def test_a_fault_is_told_with_its_place(old: str, new: str, place: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_catalog(changed(old, new))

    assert f"at {place}: " in refused.value.message
    assert what in refused.value.message
    assert refused.value.next_step


@pytest.mark.parametrize("text", ["", "[]", "just a text"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the document"):
        parse_catalog(text)


# ---- the one that ships ---------------------------------------------------------------------------------------


def test_twelve_entity_types_are_detected_and_all_have_a_source_id() -> None:
    catalog = load_catalog()

    assert len(catalog.detectable()) == 12
    assert all(entity.fields["source_id"].type is FieldType.TEXT for entity in catalog.entities.values())


def test_parents_are_loaded_before_their_children() -> None:
    order = [entity.name for entity in load_catalog().in_load_order()]

    for entity in load_catalog().entities.values():
        assert all(order.index(field.ref or "") < order.index(entity.name) for field in entity.refs())


def test_labels_of_the_fields_of_a_type_are_told_apart() -> None:
    for entity in load_catalog().entities.values():
        labels = [field.label for field in entity.fields.values()]
        assert len(set(labels)) == len(labels), entity.name


def test_the_catalogue_survives_being_written_again() -> None:
    text = resources.files("shared.catalog").joinpath("catalog.yaml").read_text(encoding="utf-8")

    assert parse_catalog(yaml.safe_dump(yaml.safe_load(text), sort_keys=False)) == load_catalog()
