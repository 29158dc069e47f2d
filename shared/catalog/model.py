"""Types of the catalogue and its loader. Adding a field or an entity type is a change of `catalog.yaml` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from shared.errors import ConfigurationError


class FieldType(StrEnum):
    """How a field's text is understood and stored."""

    TEXT = "text"
    LONGTEXT = "longtext"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    DATE = "date"
    DATETIME = "datetime"
    MONEY = "money"
    DECIMAL = "decimal"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ENUM = "enum"
    REF = "ref"
    TAGS = "tags"
    JSON = "json"


@dataclass(frozen=True)
class Field:
    """One field of an entity type.

    `strict`: a value that cannot be read makes the record an error; elsewhere it is left empty with a warning.
    Required fields are always strict; a field of a key is strict where the record is keyed by it.
    """

    name: str
    type: FieldType
    label: str
    ref: str | None = None
    many: bool = False
    required: bool = False
    strict: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class EntityType:
    """One entity type. Of each group in `require_any` one field must be mapped and present; `expect_any` only warns."""

    name: str
    label: str
    load_order: int
    natural_key: tuple[tuple[str, ...], ...]
    require_any: tuple[tuple[str, ...], ...]
    expect_any: tuple[tuple[str, ...], ...]
    fields: Mapping[str, Field]
    extended: bool = False

    def refs(self) -> list[Field]:
        """The fields that point to other records, in catalogue order."""
        return [field for field in self.fields.values() if field.type is FieldType.REF]

    def required_groups(self) -> list[tuple[str, ...]]:
        """What must be mapped before an import may start: each group needs at least one of its fields."""
        return [*self.require_any, *((f.name,) for f in self.fields.values() if f.required)]


@dataclass(frozen=True)
class Catalog:
    """All entity types by name, those that are never detected from a file marked `extended`."""

    version: int
    entities: Mapping[str, EntityType]

    def __getitem__(self, entity: str) -> EntityType:
        return self.entities[entity]

    def __contains__(self, entity: object) -> bool:
        return entity in self.entities

    def detectable(self) -> list[EntityType]:
        """The twelve entity types a file may be taken for."""
        return [entity for entity in self.entities.values() if not entity.extended]

    def in_load_order(self) -> list[EntityType]:
        """Parents before children."""
        return sorted(self.entities.values(), key=lambda entity: entity.load_order)


_ENTITY_KEYS = {"label", "load_order", "natural_key", "require_any", "expect_any", "fields"}
_FIELD_KEYS = {"type", "label", "ref", "many", "required", "strict", "values"}


def _wrong(where: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"The catalogue is wrong at {where}: {what}.", next_step="Correct catalog.yaml.")


def _mapping(where: str, raw: Any, known: set[str], needed: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise _wrong(where, "it must be a mapping")
    if unknown := set(raw) - known:
        raise _wrong(where, f"unknown keys {sorted(map(str, unknown))}")
    if missing := needed - set(raw):
        raise _wrong(where, f"missing keys {sorted(missing)}")
    return raw


def _whole(where: str, raw: Any) -> int:
    if not isinstance(raw, int):
        raise _wrong(where, "it must be a whole number")
    return raw


def _field(entity: str, name: str, raw: Any) -> Field:
    where = f"{entity}.{name}"
    _mapping(where, raw, _FIELD_KEYS, set())
    try:
        kind = FieldType(raw["type"])
    except (KeyError, ValueError):
        raise _wrong(where, f"type must be one of {[t.value for t in FieldType]}") from None
    if (kind is FieldType.REF) != ("ref" in raw):
        raise _wrong(where, "a ref field, and only a ref field, names the entity type it points to")
    if (kind is FieldType.ENUM) != bool(raw.get("values")):
        raise _wrong(where, "an enum field, and only an enum field, lists its values")
    if raw.get("many") and kind is not FieldType.REF:
        raise _wrong(where, "many is for references")
    required = bool(raw.get("required", False))
    return Field(
        name=name,
        type=kind,
        label=str(raw.get("label") or name),
        ref=raw.get("ref"),
        many=bool(raw.get("many", False)),
        required=required,
        strict=bool(raw.get("strict", False)) or required,
        values=tuple(raw.get("values") or ()),
    )


def _groups(entity: str, key: str, raw: Any, fields: Mapping[str, Field]) -> tuple[tuple[str, ...], ...]:
    if not all(isinstance(group, list) for group in raw or ()):
        raise _wrong(f"{entity}.{key}", "it must be a list of lists of fields")
    groups = tuple(tuple(group) for group in raw or ())
    for group in groups:
        if not group:
            raise _wrong(f"{entity}.{key}", "an empty group")
        for name in group:
            if name not in fields:
                raise _wrong(f"{entity}.{key}", f"there is no field {name!r}")
    return groups


def parse_catalog(text: str) -> Catalog:
    """Reads and checks a catalogue document; raises ConfigurationError that names the place of the first fault."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _wrong("its YAML", " ".join(str(error).split())) from None
    _mapping("the document", document, {"version", "entities", "extended"}, {"version", "entities"})
    entities: dict[str, EntityType] = {}
    for section, extended in (("entities", False), ("extended", True)):
        for name, raw in (document.get(section) or {}).items():
            if name in entities:
                raise _wrong(name, "it is defined twice")
            _mapping(name, raw, _ENTITY_KEYS, {"label", "load_order", "fields"})
            fields = {key: _field(name, key, value) for key, value in (raw["fields"] or {}).items()}
            if "source_id" not in fields:
                raise _wrong(name, "every entity type has a source_id")
            entities[name] = EntityType(
                name=name,
                label=str(raw["label"]),
                load_order=_whole(f"{name}.load_order", raw["load_order"]),
                natural_key=_groups(name, "natural_key", raw.get("natural_key"), fields),
                require_any=_groups(name, "require_any", raw.get("require_any"), fields),
                expect_any=_groups(name, "expect_any", raw.get("expect_any"), fields),
                fields=fields,
                extended=extended,
            )
    orders = [entity.load_order for entity in entities.values()]
    if len(set(orders)) != len(orders):
        raise _wrong("load_order", "two entity types share a place")
    for entity in entities.values():
        for field in entity.refs():
            if field.ref not in entities:
                raise _wrong(f"{entity.name}.{field.name}", f"there is no entity type {field.ref!r}")
            if entities[field.ref].load_order >= entity.load_order:
                raise _wrong(f"{entity.name}.{field.name}", "a parent must be loaded before its child")
    return Catalog(version=_whole("version", document["version"]), entities=entities)


@lru_cache(maxsize=1)
def load_catalog() -> Catalog:
    """The catalogue that ships with the hub."""
    return parse_catalog(resources.files("shared.catalog").joinpath("catalog.yaml").read_text(encoding="utf-8"))
