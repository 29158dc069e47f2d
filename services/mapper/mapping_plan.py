"""Compiles one file's mapping into what `map_rows` runs: converters, references, keys, required groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from services.mapper.reference_columns import ReferencePlan
from services.mapper.transforms import Column, Cut, MemoColumn, is_in_hours, make_column
from services.mapper.transforms.cells import EMPTY_FORMS
from shared.catalog.model import Catalog, EntityType, Field, FieldType, load_catalog
from shared.errors import BadInputError
from shared.messages.mapping import FieldMapping, FileMapping, MappingDocument, Options, RecordMapping

Group = tuple[str, ...]

_TEXT_TYPES = frozenset({FieldType.TEXT, FieldType.LONGTEXT})


class MappingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the document says for all of its files."""

    source_label: str = "files"
    region: str = "US"
    strict: bool = False


@dataclass(frozen=True)
class ValuePlan:
    """One field that is no reference. `column` None: a constant. `strict`: an unreadable value is a record error."""

    field: Field
    column: int | None
    header: str
    converter: Column
    strict: bool
    own: bool
    """The column feeds no other record of the row: where it is filled, the row holds this record."""
    is_cut: bool = False
    """Only a part of the cell belongs to the record."""

    def is_filled(self, cell: str) -> bool:
        """True where the source gave a value."""
        text = cell.strip()
        return bool(text) and (self.field.type in _TEXT_TYPES or text.lower() not in EMPTY_FORMS)


@dataclass(frozen=True)
class RecordPlan:
    """One record per row (or, where not primary, of the rows that hold one)."""

    entity: EntityType
    slot: int
    primary: bool
    values: tuple[ValuePlan, ...]
    references: tuple[ReferencePlan, ...]
    columns: tuple[int, ...]
    """Every source column that feeds the record, ascending."""
    required: tuple[Group, ...]
    expected: tuple[Group, ...]
    natural_groups: tuple[Group, ...]
    """The natural keys of which every part is mapped, in the catalogue's order."""
    linked: bool
    """True: other records point to this entity type, so it needs link keys."""
    named_by_row: bool
    """True: another record of the same row points to this one."""

    def value(self, field: str) -> ValuePlan | None:
        """The plan of a field, None where it is not mapped or is a reference."""
        return next((plan for plan in self.values if plan.field.name == field), None)


@dataclass(frozen=True)
class FilePlan:
    """One file, its primary record first. Holds the converters' memos: one per worker process and file."""

    file: str
    sha256: str
    settings: MappingSettings
    columns: int
    records: tuple[RecordPlan, ...]


def compile_file(mapping: FileMapping, settings: MappingSettings, catalog: Catalog | None = None) -> FilePlan:
    """The plan of one file. Raises BadInputError that names the file, the field and what to change."""
    catalog = catalog or load_catalog()
    _check_records(mapping, catalog)
    if missing := _missing(mapping, catalog, "required"):
        entity, group = missing[0]
        labels = _either(catalog[entity], group)
        raise _wrong(mapping, f"{catalog[entity].label} need a column for {labels}", "Map one of these fields.")
    parents = {ref.ref for kind in catalog.entities.values() for ref in kind.refs()}
    records = sorted(mapping.records, key=lambda record: not record.primary)
    return FilePlan(
        file=mapping.file,
        sha256=mapping.sha256,
        settings=settings,
        columns=len(mapping.headers),
        records=tuple(_record(mapping, record, settings, catalog, record.entity in parents) for record in records),
    )


@lru_cache(maxsize=4)
def plan_of(file_mapping: bytes, settings: bytes) -> FilePlan:
    """`compile_file` of encoded arguments (JSON, MessagePack), kept for the files a worker is busy with."""
    return compile_file(
        FileMapping.model_validate_json(file_mapping), msgspec.msgpack.decode(settings, type=MappingSettings)
    )


def missing_required(document: MappingDocument, catalog: Catalog) -> list[tuple[str, str, Group]]:
    """(file, entity type, group) for each group of which no field is mapped: the import may not start."""
    return [(file.file, *missing) for file in document.files for missing in _missing(file, catalog, "required")]


def missing_expected(document: MappingDocument, catalog: Catalog) -> list[tuple[str, str, Group]]:
    """The same for what is only expected: every record will carry a warning (an error where the run is strict)."""
    return [(file.file, *missing) for file in document.files for missing in _missing(file, catalog, "expected")]


def _missing(mapping: FileMapping, catalog: Catalog, which: str) -> list[tuple[str, Group]]:
    missing: dict[tuple[str, Group], None] = {}
    for record in mapping.records:
        entity = catalog[record.entity]
        groups: Sequence[Group] = entity.required_groups() if which == "required" else entity.expect_any
        mapped = {field.field for field in record.fields}
        missing.update({(record.entity, tuple(group)): None for group in groups if not mapped & set(group)})
    return list(missing)


def _either(entity: EntityType, group: Group) -> str:
    return " or ".join(entity.fields[name].label for name in group)


def _wrong(mapping: FileMapping, what: str, next_step: str) -> BadInputError:
    return BadInputError(f"The mapping of {mapping.file} cannot be used: {what}.", next_step=next_step, code="mapping")


def _check_records(mapping: FileMapping, catalog: Catalog) -> None:
    seen: set[tuple[str, int]] = set()
    for record in mapping.records:
        if record.entity not in catalog:
            known = ", ".join(catalog.entities)
            raise _wrong(mapping, f"there is no entity type {record.entity!r}", f"Choose one of {known}.")
        if (record.entity, record.slot) in seen:
            raise _wrong(mapping, f"{record.entity} slot {record.slot} is there twice", "Give each its own slot.")
        seen.add((record.entity, record.slot))
    primaries = sum(1 for record in mapping.records if record.primary)
    if primaries != 1:
        raise _wrong(mapping, f"{primaries} of its records are primary", "Mark exactly one record as primary.")


def _record(
    mapping: FileMapping, record: RecordMapping, settings: MappingSettings, catalog: Catalog, linked: bool
) -> RecordPlan:
    entity = catalog[record.entity]
    fields = _checked_fields(mapping, record, entity)
    others = {f.column for other in mapping.records if other is not record for f in other.fields}
    own = {f.column for f in record.fields if entity.fields[f.field].type is not FieldType.REF} - others - {None}
    values = tuple(
        _value(mapping, entity, field, given, settings, own=not own or given.column in own)
        for field, given in fields
        if field.type is not FieldType.REF
    )
    references = tuple(
        _reference(mapping, record, field, given, settings) for field, given in fields if field.type is FieldType.REF
    )
    mapped = {field.name for field, _ in fields}
    return RecordPlan(
        entity=entity,
        slot=record.slot,
        primary=record.primary,
        values=values,
        references=references,
        columns=tuple(sorted({column for _, given in fields for column in _columns_of(given)})),
        required=tuple(tuple(group) for group in entity.required_groups()),
        expected=entity.expect_any,
        natural_groups=tuple(g for g in entity.natural_key if all(_is_known(part, mapped) for part in g)),
        linked=linked,
        named_by_row=record.primary and _is_named_by_row(mapping, record.entity, catalog),
    )


def _is_known(part: str, mapped: set[str]) -> bool:
    """A name may be put together (first and last name, company)."""
    return part in mapped or (part == "name" and bool(mapped & {"first_name", "last_name", "company"}))


def _is_named_by_row(mapping: FileMapping, entity: str, catalog: Catalog) -> bool:
    return any(
        given.by == "row" and catalog[record.entity].fields[given.field].ref == entity
        for record in mapping.records
        for given in record.fields
    )


def _columns_of(given: FieldMapping) -> list[int]:
    return [column for column in (given.column, *given.evidence.values()) if column is not None]


def _checked_fields(
    mapping: FileMapping, record: RecordMapping, entity: EntityType
) -> list[tuple[Field, FieldMapping]]:
    checked: dict[str, tuple[Field, FieldMapping]] = {}
    for given in record.fields:
        field = entity.fields.get(given.field)
        if field is None:
            known = ", ".join(entity.fields)
            raise _wrong(mapping, f"{entity.label} have no field {given.field!r}", f"Choose one of {known}.")
        if given.field in checked:
            raise _wrong(mapping, f"two columns feed {entity.name}.{field.name}", "Keep one column for the field.")
        _check_columns(mapping, entity, given)
        checked[given.field] = (field, given)
    return list(checked.values())


def _check_columns(mapping: FileMapping, entity: EntityType, given: FieldMapping) -> None:
    where = f"{entity.name}.{given.field}"
    for column in _columns_of(given):
        if not 0 <= column < len(mapping.headers):
            raise _wrong(
                mapping,
                f"{where} names column {column}, but the file has {len(mapping.headers)} columns",
                f"Columns are numbered from 0 to {len(mapping.headers) - 1}.",
            )
    if given.column is None and given.options.default is None and given.by != "row" and not given.evidence:
        raise _wrong(mapping, f"{where} has neither a column nor a default", "Name its column or a default value.")


def _value(
    mapping: FileMapping, entity: EntityType, field: Field, given: FieldMapping, settings: MappingSettings, *, own: bool
) -> ValuePlan:
    where = f"{entity.name}.{field.name}"
    if given.by is not None or given.evidence:
        raise _wrong(mapping, f"{where} is no reference", "Leave out `by` and `evidence`.")
    for value in given.options.values.values():
        if value is not None and value not in field.values:
            allowed = ", ".join(field.values) or "nothing: it is no field with fixed values"
            raise _wrong(mapping, f"{where} cannot be {value!r}", f"Allowed: {allowed}.")
    if given.options.time_unit != "hours" and not is_in_hours(field.name):
        raise _wrong(mapping, f"{where} holds no hours", "Leave out `time_unit`.")
    converter = make_column(entity.name, field, given.options, settings.region)
    if isinstance(converter, MemoColumn) and converter.default.code:
        raise _wrong(mapping, f"the default {given.options.default!r} cannot be read as {where}", "Correct it.")
    return ValuePlan(
        field=field,
        column=given.column,
        header=_header(mapping, given),
        converter=converter,
        strict=field.strict or settings.strict,
        own=own and given.column is not None,
        is_cut=bool(given.options.part and given.options.separator),
    )


def _header(mapping: FileMapping, given: FieldMapping) -> str:
    if given.column is None:
        return given.header or ""
    return given.header or mapping.headers[given.column] or f"column {given.column + 1}"


def _reference(
    mapping: FileMapping, record: RecordMapping, field: Field, given: FieldMapping, settings: MappingSettings
) -> ReferencePlan:
    where = f"{record.entity}.{field.name}"
    if given.by is None:
        raise _wrong(mapping, f"{where} does not say by what it names its parent", "Add `by`, for example `name`.")
    if given.by == "row":
        primary = next(other for other in mapping.records if other.primary)
        if record.primary or primary.entity != field.ref:
            raise _wrong(
                mapping,
                f"{where} points to the row's own record, but the row makes no {field.ref} first",
                f"Make {field.ref} the primary record, or choose another `by`.",
            )
    options = given.options
    return ReferencePlan(
        field=field,
        parent=field.ref or "",
        by=given.by,
        column=given.column,
        cut=Cut(options.part, options.separator) if options.part and options.separator else None,
        split=options.split,
        default=(options.default or "").strip(),
        evidence={str(kind): column for kind, column in given.evidence.items()},
        label=settings.source_label,
        emails=make_column(field.ref or "", Field("email", FieldType.EMAIL, "Email"), Options(), settings.region),
        phones=make_column(field.ref or "", Field("phone", FieldType.PHONE, "Phone"), Options(), settings.region),
    )
