"""What mapper is made of."""

from __future__ import annotations

from services.mapper.api import make_router
from services.mapper.handlers import MapperHandlers
from services.mapper.mappings import Mappings
from shared.catalog import Catalog
from shared.messages.topics import BATCH_EXTRACTED, ENTITIES_DETECTED, consumer_group
from shared.runtime import Route, Service, WorkerPool
from shared.runtime.outbox import Outbox
from shared.storage.documents import Documents
from shared.storage.files import Files

NAME = "mapper"


def make_mapper(
    *, documents: Documents, outbox: Outbox, files: Files, workers: WorkerPool, catalog: Catalog
) -> Service:
    """Mapper over its stores."""
    mappings = Mappings(documents=documents, outbox=outbox, files=files, catalog=catalog)
    handlers = MapperHandlers(mappings=mappings, files=files, workers=workers)
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
        router=make_router(mappings),
    )
