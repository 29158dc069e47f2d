"""HTTP of mapper: a session's mapping, given, taken, approved, reset; what approvals taught; presets, the catalogue."""

from __future__ import annotations

from typing import Any

import yaml
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.mapper.mappings import Mappings
from services.mapper.memory import Remembered
from services.mapper.memory_store import ENTRIES_MAX, AuditLine, MappingMemory
from services.mapper.model import MappingView, MissingGroup
from services.mapper.presets import load_presets
from services.mapper.value_mapping import ValueMappingView
from shared.errors import BadInputError
from shared.http.auth import Admin, Owner, Viewer
from shared.messages.mapping import MappingDocument

YAML_MEDIA_TYPE = "application/yaml"


class CatalogField(BaseModel):
    """One field of the catalogue."""

    name: str
    label: str
    type: str
    ref: str | None
    many: bool
    required: bool
    values: list[str]


class CatalogEntity(BaseModel):
    """One entity type of the catalogue."""

    name: str
    label: str
    load_order: int
    require_any: list[list[str]]
    expect_any: list[list[str]]
    fields: list[CatalogField]


class PresetView(BaseModel):
    """A header row that the hub knows: an export, an object of an API or an import template of a platform."""

    platform: str
    label: str
    version: int
    name: str
    entity: str
    origin: str
    source: str


class RememberedView(BaseModel):
    """An approved mapping that is remembered. Times are seconds since the epoch."""

    id: str
    entity: str | None
    """None: such files are left out."""
    file: str
    headers: list[str]
    fields: dict[str, str]
    """Header (or "column 3") -> the field of the entity type that it feeds."""
    session: str
    approved_by: str
    approved_at: float
    times: int
    """In how many sessions it was approved."""
    shared: bool


class MemoryView(BaseModel):
    """What the account remembers, the latest approval first, and who did what with it, the latest last."""

    entries: list[RememberedView]
    audit: list[AuditLine]


class Forgotten(BaseModel):
    """How many mappings were forgotten."""

    forgotten: int


class Forgetting(BaseModel):
    """Which mappings to forget: all of them or, where one is not known, none."""

    model_config = ConfigDict(extra="forbid")
    ids: list[str] = Field(min_length=1, max_length=ENTRIES_MAX)


class Sharing(BaseModel):
    """Whether other accounts of this hub may profit from a mapping."""

    model_config = ConfigDict(extra="forbid")
    shared: bool


def make_router(mappings: Mappings, memory: MappingMemory) -> APIRouter:
    """The routes over these mappings and this memory."""
    router = APIRouter(tags=["mapping"])
    _add_memory(router, memory)

    @router.get("/sessions/{session_id}/mapping")
    async def get_mapping(principal: Viewer, session_id: str) -> MappingView:
        """The mapping that counts, with what is missing."""
        return await mappings.view(principal.account, session_id)

    @router.get("/sessions/{session_id}/blockers")
    async def blockers(principal: Viewer, session_id: str) -> list[MissingGroup]:
        """What keeps an import from starting: each group needs a column for one of its fields."""
        return (await mappings.view(principal.account, session_id)).missing_required

    @router.get("/sessions/{session_id}/mapping/document")
    async def export_mapping(principal: Viewer, session_id: str) -> Response:
        """The mapping as a YAML document, to be kept, changed and given back."""
        view = await mappings.view(principal.account, session_id)
        return Response(mapping_yaml(view.mapping), media_type=YAML_MEDIA_TYPE)

    @router.post("/sessions/{session_id}/mapping/document")
    async def import_mapping(request: Request, principal: Admin, session_id: str) -> MappingView:
        """Takes a mapping document (YAML or JSON) for the session's files."""
        mapping = mapping_from_yaml((await request.body()).decode("utf-8", "replace"))
        await mappings.replace(principal.account, session_id, principal.name, mapping)
        return await mappings.view(principal.account, session_id)

    @router.post("/sessions/{session_id}/mapping/approve", status_code=202)
    async def approve(principal: Admin, session_id: str) -> MappingView:
        """Approves the mapping: from now on an import may start with it."""
        await mappings.approve(principal.account, session_id, principal.name)
        return await mappings.view(principal.account, session_id)

    @router.post("/sessions/{session_id}/mapping/reset")
    async def reset(principal: Admin, session_id: str) -> MappingView:
        """Apply preset: makes the proposal the mapping again. What was changed by hand stays in older versions."""
        await mappings.reset(principal.account, session_id, principal.name)
        return await mappings.view(principal.account, session_id)

    @router.get("/sessions/{session_id}/mapping/values")
    async def value_mappings(principal: Viewer, session_id: str) -> list[ValueMappingView]:
        """Columns that feed a field with fixed values: each value, how often, what becomes of it; the unmatched."""
        return (await mappings.view(principal.account, session_id)).value_mappings

    @router.get("/presets")
    async def presets(_: Viewer) -> list[PresetView]:
        """The header rows that the hub knows, by platform."""
        return [
            PresetView(**{name: getattr(layout, name) for name in PresetView.model_fields}) for layout in load_presets()
        ]

    @router.get("/catalog")
    async def get_catalog(_: Viewer) -> list[CatalogEntity]:
        """The entity types and their fields, in load order."""
        return [
            CatalogEntity(
                name=entity.name,
                label=entity.label,
                load_order=entity.load_order,
                require_any=[list(group) for group in entity.required_groups()],
                expect_any=[list(group) for group in entity.expect_any],
                fields=[
                    CatalogField(
                        name=f.name,
                        label=f.label,
                        type=f.type.value,
                        ref=f.ref,
                        many=f.many,
                        required=f.required,
                        values=list(f.values),
                    )
                    for f in entity.fields.values()
                ],
            )
            for entity in mappings.catalog.in_load_order()
        ]

    return router


def _add_memory(router: APIRouter, memory: MappingMemory) -> None:
    @router.get("/mapping-memory")
    async def remembered(principal: Viewer) -> MemoryView:
        """The approved mappings that help with files of the same shape."""
        own = await memory.of_account(principal.account)
        return MemoryView(entries=[_view(entry) for entry in own.entries], audit=own.audit)

    @router.delete("/mapping-memory/{entry_id}")
    async def forget(principal: Admin, entry_id: str) -> Forgotten:
        """Forgets one of them; what was mapped with it stays as it is."""
        return Forgotten(forgotten=await memory.forget(principal.account, principal.name, [entry_id]))

    @router.post("/mapping-memory/forget")
    async def forget_several(principal: Admin, body: Forgetting) -> Forgotten:
        """Forgets several of them; where one is not known, none is forgotten."""
        return Forgotten(forgotten=await memory.forget(principal.account, principal.name, body.ids))

    @router.delete("/mapping-memory")
    async def forget_all(principal: Owner) -> Forgotten:
        """Forgets all of them."""
        return Forgotten(forgotten=await memory.forget(principal.account, principal.name))

    @router.put("/mapping-memory/{entry_id}/sharing")
    async def share(principal: Owner, entry_id: str, body: Sharing) -> RememberedView:
        """Shares headers and fields of a mapping, never values, with other accounts of this hub; or stops it."""
        entry = await memory.share(principal.account, principal.name, entry_id, shared=body.shared)
        return _view(entry)


def _view(entry: Remembered) -> RememberedView:
    headers = [column.header or f"column {at}" for at, column in enumerate(entry.columns, start=1)]
    mapped = entry.primary.fields if entry.primary else ()
    fields = {headers[f.column]: f.field for f in mapped if f.column is not None}
    return RememberedView(
        id=entry.id,
        entity=entry.entity,
        file=entry.file,
        headers=headers,
        fields=fields,
        session=entry.session,
        approved_by=entry.approved_by,
        approved_at=entry.approved_at,
        times=entry.times,
        shared=entry.shared,
    )


def mapping_yaml(mapping: MappingDocument) -> str:
    """The document as YAML in the order of its fields; defaults are left out."""
    content: dict[str, Any] = mapping.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump({"version": 1, **content}, sort_keys=False, allow_unicode=True, width=100)


def mapping_from_yaml(text: str) -> MappingDocument:
    """The document of a YAML (or JSON) text; BadInputError names the first place that is wrong."""
    try:
        content = yaml.safe_load(text)
        return MappingDocument.model_validate(content)
    except yaml.YAMLError as error:
        raise BadInputError(
            f"The mapping is no YAML: {str(error).splitlines()[0]}.",
            next_step="Correct it and give it again. Nothing was changed.",
            code="mapping",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BadInputError(
            f"The mapping is wrong at {where}: {first['msg']}.",
            next_step="Correct it and give it again. Nothing was changed.",
            code="mapping",
        ) from None
