"""`ProgressStore` in MongoDB: one document per acknowledgement, named by run, step and position."""

from __future__ import annotations

from shared.storage.mongo.database import MongoDatabase


class MongoProgressStore:
    """Acknowledgements in MongoDB. The first insert of a name stays."""

    def __init__(self, database: MongoDatabase) -> None:
        self._acknowledgements = database.collection("acknowledgements")

    async def start(self) -> None:
        """Makes the index."""
        await self._acknowledgements.index("run", "step", "position")

    async def acknowledge(self, run: int, step: int, position: int, payload: bytes) -> None:
        name = f"{run}/{step}/{position}"
        await self._acknowledgements.insert(
            {"_id": name, "run": run, "step": step, "position": position, "payload": payload}
        )

    async def count(self, run: int, step: int) -> int:
        return await self._acknowledgements.count({"run": run, "step": step})

    async def positions(self, run: int, step: int) -> set[int]:
        found = await self._acknowledgements.all({"run": run, "step": step}, {"_id": 0, "position": 1})
        return {one["position"] for one in found}

    async def payloads(self, run: int, step: int) -> list[tuple[int, bytes]]:
        found = await self._acknowledgements.all({"run": run, "step": step}, {"_id": 0, "position": 1, "payload": 1})
        return sorted((one["position"], bytes(one["payload"])) for one in found)

    async def purge(self, run: int) -> None:
        await self._acknowledgements.delete({"run": run})
