"""HTTP of mapper: a session's mapping, given and taken as a document, approved; the catalogue it maps to."""

from __future__ import annotations

from typing import Any

import yaml
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from services.mapper.mappings import Mappings
from services.mapper.model import MappingView, MissingGroup
from shared.errors import BadInputError
from shared.http.auth import Admin, Viewer
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


def make_router(mappings: Mappings) -> APIRouter:
    """The routes over these mappings."""
    router = APIRouter(tags=["mapping"])

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
