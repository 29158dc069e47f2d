"""`OutcomeStore` in MongoDB: one document per outcome and per problem batch, named by their keys; one per run."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from shared.storage.mongo.collection import Document
from shared.storage.mongo.database import MongoDatabase
from shared.storage.outcomes import Outcome, OutcomeKey, ProblemBatch


class MongoOutcomeStore:
    """Outcomes in MongoDB. The first insert of a name stays; a run's state gives way to newer ones only."""

    def __init__(self, database: MongoDatabase) -> None:
        self._outcomes = database.collection("status_outcomes")
        self._problems = database.collection("status_problems")
        self._runs = database.collection("status_runs")

    async def start(self) -> None:
        """Makes the indexes."""
        await self._outcomes.index("run", "step", "batch", "entity")
        await self._problems.index("run", "batch", "entity", "stage")
        await self._runs.index("account", "session")

    async def keep_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        await self._outcomes.insert_absent([_named(outcome) | outcome._asdict() for outcome in outcomes])

    async def keep_problems(self, account: str, run: int, problems: ProblemBatch) -> None:
        name = f"{run}/{problems.batch}/{problems.entity}/{problems.stage}"
        await self._problems.insert({"_id": name, "run": run, "account": account, **problems._asdict()})

    async def keep_run(self, run: int, account: str, session: str, sequence: int, state: bytes) -> None:
        new = {"_id": run, "account": account, "session": session, "sequence": sequence, "state": state}
        if not await self._runs.insert(new):
            newer = {"sequence": sequence, "state": state}
            await self._runs.change({"_id": run, "sequence": {"$lt": sequence}}, {"$set": newer})

    async def run(self, run: int) -> bytes | None:
        found = await self._runs.one({"_id": run}, {"state": 1})
        return bytes(found["state"]) if found else None

    async def runs_of(self, account: str, session: str) -> list[bytes]:
        found = await self._runs.all({"account": account, "session": session}, {"state": 1})
        return [bytes(one["state"]) for one in sorted(found, key=lambda one: int(one["_id"]))]

    async def outcomes(self, run: int) -> list[Outcome]:
        return [_outcome(one) for one in await self._outcomes.all({"run": run})]

    async def outcomes_beyond(self, run: int, known: AbstractSet[OutcomeKey]) -> list[Outcome]:
        # Outcomes are never taken away, so equal numbers mean equal sets: looking again while nothing comes is cheap.
        if await self._outcomes.count({"run": run}) == len(known):
            return []
        names = await self._outcomes.all({"run": run}, {"step": 1, "batch": 1, "entity": 1})
        new = [one["_id"] for one in names if (one["step"], one["batch"], one["entity"]) not in known]
        return [_outcome(one) for one in await self._outcomes.by_ids(new)]

    async def problems(self, run: int) -> list[tuple[int, str, str]]:
        found = await self._problems.all({"run": run}, {"batch": 1, "entity": 1, "stage": 1})
        return sorted((one["batch"], one["entity"], one["stage"]) for one in found)

    async def problem_batch(self, run: int, batch: int) -> list[ProblemBatch]:
        found = await self._problems.all({"run": run, "batch": batch})
        return [ProblemBatch(one["batch"], one["entity"], one["stage"], bytes(one["problems"])) for one in found]


def _named(outcome: Outcome) -> Document:
    return {"_id": f"{outcome.run}/{outcome.step}/{outcome.batch}/{outcome.entity}"}


def _outcome(found: Document) -> Outcome:
    return Outcome(
        found["run"], found["step"], found["batch"], found["entity"], bytes(found["counts"]), found["decision"]
    )
