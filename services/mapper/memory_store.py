"""The mapping memory of all accounts: one bounded document per account, and one for what accounts share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TypeVar

import msgspec
from pydantic import BaseModel, Field

from services.mapper.memory import Remembered, for_others, remember
from services.mapper.memory_shapes import likeness_of_names
from shared.errors import ConflictError, NotAllowedError, NotFoundError
from shared.messages.envelope import Clock
from shared.messages.mapping import MappingDocument
from shared.observability.events import MAPPING_FORGOTTEN, MAPPING_REMEMBERED, MAPPING_SHARED, emit
from shared.storage.documents import Documents
from shared.storage.swapping import tries

MEMORY = "mapper.memory"
SHARED_MEMORY = "mapper.memory_shared"
SHARED_ID = "all"
SHARED_ACCOUNT = "*"

Entry = TypeVar("Entry", bound=BaseModel)

ENTRIES_MAX = 200
SHARED_ENTRIES_MAX = 500
BYTES_MAX = 2 * 1024 * 1024
"""Of one memory. A usual entry (30 columns) has some 3 KiB, so the count bounds first; this bounds wide files."""
ENTRY_BYTES_MAX = 256 * 1024
"""A file with thousands of columns is not remembered: it would push everything else out."""
AUDIT_LINES_MAX = 200


class Seen(msgspec.Struct, frozen=True):
    """What analysis made of a file: the kinds of its columns and the entity type it took it for.

    `left_out`: somebody chose to leave it out. A file that is not imported for another reason teaches nothing.
    """

    kinds: Sequence[str] = ()
    entity: str | None = None
    left_out: bool = False


UNSEEN = Seen()


class AuditLine(BaseModel):
    """Who did what with the memory, and when."""

    at: float
    actor: str
    action: str


class AccountMemory(BaseModel):
    """Everything one account remembers, the latest approval first."""

    entries: list[Remembered] = Field(default_factory=list)
    audit: list[AuditLine] = Field(default_factory=list)


class _SharedEntry(BaseModel):
    owner: str
    remembered: Remembered


class _SharedMemory(BaseModel):
    entries: list[_SharedEntry] = Field(default_factory=list)


@dataclass
class MappingMemory:
    """Learns from approvals and forgets on demand. `may_share`: accounts of this hub may share what they approved."""

    documents: Documents
    clock: Clock
    may_share: bool = False

    async def of_account(self, account: str) -> AccountMemory:
        """What the account remembers, and what others still see of it that it does not remember any more."""
        memory = (await self._own(account))[0]
        known = {entry.id for entry in memory.entries}
        copies = (e.remembered for e in (await self._shared())[0].entries if e.owner == account)
        return memory.model_copy(update={"entries": [*memory.entries, *(c for c in copies if c.id not in known)]})

    async def known_to(self, account: str) -> list[Remembered]:
        """What may help with the files of the account: its own memory, and where allowed what others share."""
        own = (await self._own(account))[0].entries
        if not self.may_share:
            return own
        others = [entry.remembered for entry in (await self._shared())[0].entries if entry.owner != account]
        return [*own, *(one.model_copy(update={"from_other_account": True}) for one in others)]

    async def learn(
        self, account: str, mapping: MappingDocument, seen: Mapping[str, Seen], *, session: str, actor: str
    ) -> int:
        """Remembers the files of an approved mapping; how many. Learning the same again changes nothing.

        `seen`: what analysis made of the files, by content hash, where that is known.
        """
        now = self.clock()
        found = [
            _Learned(remember(f, made.kinds, session=session, approved_by=actor, approved_at=now), made.entity)
            for f in mapping.files
            for made in [seen.get(f.sha256, UNSEEN)]
            if f.records or made.left_out
        ]
        learned = [one for one in found if len(_encoded(one.remembered)) <= ENTRY_BYTES_MAX]

        def add(memory: AccountMemory) -> None:
            memory.entries = _with_learned(memory.entries, learned)
            _note(memory, now, actor, f"approved the mapping of session {session}: {len(learned)} files remembered")

        if learned:
            memory = await self._change(account, add)
            await self._share_again(account, [entry for entry in memory.entries if entry.shared])
            emit(MAPPING_REMEMBERED, account=account, session_id=session, files=len(learned))
        return len(learned)

    async def forget(self, account: str, actor: str, ids: Sequence[str] | None = None) -> int:
        """Forgets these mappings or all (None), shared copies too; how many. NotFoundError for an unknown id.

        A shared copy that outlived the account's own one goes too.
        """
        copies = {entry.remembered.id for entry in (await self._shared())[0].entries if entry.owner == account}
        gone = set(ids or ())

        def remove(memory: AccountMemory) -> None:
            nonlocal gone
            known = {entry.id for entry in memory.entries} | copies
            gone = known if ids is None else gone
            if unknown := gone - known:
                raise _unknown(unknown)
            memory.entries = [entry for entry in memory.entries if entry.id not in gone]
            _note(memory, self.clock(), actor, f"forgot {len(gone)} mappings")

        await self._change(account, remove)
        if copies:
            await self._unshare(account, None if ids is None else gone)
        emit(MAPPING_FORGOTTEN, account=account, actor=actor, entries=len(gone))
        return len(gone)

    async def share(self, account: str, actor: str, id: str, *, shared: bool) -> Remembered:
        """Lets the other accounts of this hub profit from a mapping, or no longer. NotAllowedError where it is off."""
        if shared and not self.may_share:
            raise NotAllowedError(
                "Sharing between accounts is switched off on this hub. Nothing was shared.",
                next_step="The operator can allow it with HUB_MAPPER_MEMORY_SHARED=true.",
            )
        copies = {e.remembered.id: e.remembered for e in (await self._shared())[0].entries if e.owner == account}
        changed: list[Remembered] = []

        def mark(memory: AccountMemory) -> None:
            changed[:] = [entry for entry in memory.entries if entry.id == id]
            for entry in changed:
                entry.shared = shared
            if not changed and (shared or id not in copies):
                raise _unknown({id})
            _note(memory, self.clock(), actor, f"{'shared' if shared else 'stopped sharing'} mapping {id}")

        await self._change(account, mark)
        await (self._share_again(account, changed) if shared else self._unshare(account, {id}))
        emit(MAPPING_SHARED, account=account, actor=actor, entry=id, shared=shared)
        return changed[0] if changed else copies[id].model_copy(update={"shared": False})

    # ---- inside -----------------------------------------------------------------------------------------------

    async def _own(self, account: str) -> tuple[AccountMemory, int]:
        document = await self.documents.get(MEMORY, account, account=account)
        if document is None:
            return AccountMemory(), 0
        return AccountMemory.model_validate_json(document.body), document.revision

    async def _shared(self) -> tuple[_SharedMemory, int]:
        document = await self.documents.get(SHARED_MEMORY, SHARED_ID)
        if document is None:
            return _SharedMemory(), 0
        return _SharedMemory.model_validate_json(document.body), document.revision

    async def _change(self, account: str, change: Callable[[AccountMemory], None]) -> AccountMemory:
        """Changes the memory; what is no longer in it, or no longer shared there, is first taken back from others.

        In that order a process that dies in between leaves nothing shared that its account cannot see.
        """
        async for _ in tries(f"The mapping memory of account {account}"):
            memory, revision = await self._own(account)
            before = {entry.id for entry in memory.entries if entry.shared}
            change(memory)
            body = _bounded(memory)
            if taken_back := before - {entry.id for entry in memory.entries if entry.shared}:
                await self._unshare(account, taken_back)
            with contextlib.suppress(ConflictError):
                await self.documents.put(MEMORY, account, body, account=account, expected_revision=revision)
                return memory
        raise AssertionError("tries() ends by an error")

    async def _share_again(self, account: str, entries: Sequence[Remembered]) -> None:
        if not entries or not self.may_share:
            return
        fresh = {entry.id: _SharedEntry(owner=account, remembered=for_others(entry)) for entry in entries}

        def add(shared: _SharedMemory) -> None:
            kept = [e for e in shared.entries if e.owner != account or e.remembered.id not in fresh]
            shared.entries = [*fresh.values(), *kept][:SHARED_ENTRIES_MAX]

        await self._change_shared(add)
        await self._take_back_unmarked(account)

    async def _take_back_unmarked(self, account: str) -> None:
        """Takes back the copies that the account's memory, looked at after they were added, does not mark as shared.

        Somebody may have forgotten the mapping between its mark and its copy. The memory is read after the copies:
        whoever shares again at this moment adds a copy after his mark, and this change, being older, is tried again.
        """
        async for _ in tries("The shared mapping memory"):
            shared, revision = await self._shared()
            marked = {entry.id for entry in (await self._own(account))[0].entries if entry.shared}
            kept = [e for e in shared.entries if e.owner != account or e.remembered.id in marked]
            if len(kept) == len(shared.entries):
                return
            with contextlib.suppress(ConflictError):
                await self._put_shared(_SharedMemory(entries=kept), revision)
                return

    async def _unshare(self, account: str, ids: set[str] | None) -> None:
        """Takes back shared copies; with None all of the account, those too that its own memory has no room for."""

        def remove(shared: _SharedMemory) -> None:
            shared.entries = [
                e for e in shared.entries if e.owner != account or (ids is not None and e.remembered.id not in ids)
            ]

        if (await self._shared())[1]:
            await self._change_shared(remove)

    async def _change_shared(self, change: Callable[[_SharedMemory], None]) -> None:
        async for _ in tries("The shared mapping memory"):
            shared, revision = await self._shared()
            change(shared)
            shared.entries = _that_fit(shared.entries, BYTES_MAX)
            with contextlib.suppress(ConflictError):
                await self._put_shared(shared, revision)
                return

    async def _put_shared(self, shared: _SharedMemory, revision: int) -> None:
        body = _encoded(shared)
        await self.documents.put(SHARED_MEMORY, SHARED_ID, body, account=SHARED_ACCOUNT, expected_revision=revision)


def _bounded(memory: AccountMemory) -> bytes:
    """The memory as it is stored: what was approved longest ago goes first."""
    del memory.audit[:-AUDIT_LINES_MAX]
    rest = len(_encoded(AccountMemory(audit=memory.audit)))
    memory.entries = _that_fit(memory.entries[:ENTRIES_MAX], BYTES_MAX - rest)
    return _encoded(memory)


def _that_fit(entries: list[Entry], room: int) -> list[Entry]:
    """The first of the entries, as many as have room together. Each is encoded once: there may be hundreds."""
    sizes = (len(_encoded(entry)) + 1 for entry in entries)
    return entries[: sum(1 for _ in takewhile(lambda size: size <= room, accumulate(sizes)))]


def _encoded(content: BaseModel) -> bytes:
    """As it is stored. What says nothing is left out: most of a field mapping is at its default."""
    return content.model_dump_json(exclude_defaults=True).encode()


@dataclass(frozen=True)
class _Learned:
    """What an approved file teaches, and the entity type that detection took it for."""

    remembered: Remembered
    detected: str | None

    def replaces(self, before: Remembered) -> bool:
        """True where this is the later word on such a file, whatever entity type was said before.

        The same headers under another name may be another kind of file: lists of clients and of leads often look
        alike. Where a person corrected what detection said, one word of the name in common is enough. Leaving out is
        about one file: it takes the place of what was said of that very file, and of nothing else.
        """
        one = self.remembered
        if one.key != before.key:
            return False
        if one.entity is None or before.entity is None:
            return one.is_of(before.file, before.sha256)
        likeness = likeness_of_names(one.file, before.file)
        is_correction = self.detected is not None and self.detected != one.entity
        return likeness == 1.0 or (is_correction and likeness > 0.0)


def _with_learned(entries: Sequence[Remembered], learned: Sequence[_Learned]) -> list[Remembered]:
    """The memory after an approval, the latest first."""
    new = {one.remembered.id: one.remembered for one in learned}
    for before in entries:
        if (one := new.get(before.id)) is not None:
            one.times = before.times + (before.session != one.session)
            one.shared = before.shared
    kept = [entry for entry in entries if entry.id not in new and not any(one.replaces(entry) for one in learned)]
    return sorted([*new.values(), *kept], key=lambda entry: (-entry.approved_at, entry.id))


def _note(memory: AccountMemory, at: float, actor: str, action: str) -> None:
    memory.audit.append(AuditLine(at=at, actor=actor, action=action))


def _unknown(ids: set[str]) -> NotFoundError:
    return NotFoundError(
        f"There is no remembered mapping {', '.join(sorted(ids))}. Nothing was changed.",
        next_step="`hub mapping memory list` shows what there is.",
    )
