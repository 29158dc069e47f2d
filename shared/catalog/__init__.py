"""The canonical target schema: entity types, their fields and rules, read from `catalog.yaml` and validated at load."""

from shared.catalog.model import Catalog, EntityType, Field, FieldType, load_catalog

__all__ = ["Catalog", "EntityType", "Field", "FieldType", "load_catalog"]
