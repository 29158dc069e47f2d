"""What mapper is made of."""

from __future__ import annotations

from services.mapper.api import make_router
from services.mapper.handlers import MapperHandlers
from services.mapper.language_model import LanguageModel
from services.mapper.mappings import Mappings
from services.mapper.memory_store import MappingMemory
from shared.catalog import Catalog
from shared.messages.envelope import Clock
from shared.messages.topics import BATCH_EXTRACTED, ENTITIES_DETECTED, consumer_group
from shared.runtime import Route, Service, WorkerPool
from shared.runtime.outbox import Outbox
from shared.storage.documents import Documents
from shared.storage.files import Files

NAME = "mapper"


def make_mapper(
    *,
    documents: Documents,
    outbox: Outbox,
    files: Files,
    workers: WorkerPool,
    clock: Clock,
    catalog: Catalog,
    language_model: LanguageModel | None = None,
    memory_shared: bool = False,
) -> Service:
    """Mapper over its stores. `memory_shared`: accounts may share what they approved with each other."""
    memory = MappingMemory(documents=documents, clock=clock, may_share=memory_shared)
    mappings = Mappings(documents=documents, outbox=outbox, files=files, catalog=catalog, memory=memory)
    handlers = MapperHandlers(
        mappings=mappings, files=files, workers=workers, memory=memory, language_model=language_model
    )
    return Service(
        name=NAME,
        routes=[
            Route(ENTITIES_DETECTED, handlers.detected, consumer_group(NAME, ENTITIES_DETECTED)),
            Route(
                BATCH_EXTRACTED,
                handlers.map_batch,
                consumer_group(NAME, BATCH_EXTRACTED),
                give_up=handlers.give_up,
                ordered=False,
                in_flight=16,
                fail_point_before_commit="mapper.mapped_not_committed",
            ),
        ],
        router=make_router(mappings, memory),
    )
