"""The mappings of sessions: proposed, changed, approved. A mapping is a versioned document; nothing is overwritten."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from services.mapper.mapping_plan import missing_expected, missing_required
from services.mapper.memory_store import MappingMemory, Seen
from services.mapper.model import MAPPINGS, MappingView, MissingGroup, SessionMapping, Version
from services.mapper.value_mapping import value_views, with_known_counts
from shared.catalog import Catalog
from shared.errors import BadInputError, ConflictError, NotFoundError, RetryableError
from shared.messages import topics
from shared.messages.control import MappingApproved, MappingProposed
from shared.messages.envelope import Outgoing
from shared.messages.mapping import FileMapping, MappingDocument
from shared.observability.events import MAPPING_NOT_REMEMBERED, emit
from shared.runtime.outbox import Outbox
from shared.storage.documents import Document, Documents
from shared.storage.files import Files
from shared.storage.swapping import tries

_NOT_NAMED = "The mapping given for this session does not name it, so it is left out."
_LEFT_OUT = "Left out in the mapping given for this session."

VERSIONS_MAX = 200
"""Versions kept of one session's mapping; the oldest unapproved ones go first."""


class _ColumnKind(msgspec.Struct):
    type: str


class _FileKinds(msgspec.Struct):
    file: str
    sha256: str
    entity: str | None
    columns: list[_ColumnKind]


class _AnalysisKinds(msgspec.Struct):
    """As much of an analysis as the memory needs: decoding the rest would cost more than learning."""

    detections: list[_FileKinds]
    entities: dict[str, str | None] = {}


@dataclass
class Mappings:
    """The mappings of all accounts over their stores. `memory`: learns from approvals."""

    documents: Documents
    outbox: Outbox
    files: Files
    catalog: Catalog
    memory: MappingMemory | None = None

    async def view(self, account: str, session: str) -> MappingView:
        """The mapping that counts; NotFoundError until the session is analysed."""
        stored = await self._stored(account, session)
        version = stored.latest
        document = await self._read(version.document)
        return MappingView(
            session=session,
            number=version.number,
            session_version=version.session_version,
            approved=version.approved_by is not None,
            made_by=version.made_by,
            mapping=document,
            missing_required=self._groups(missing_required(document, self.catalog)),
            missing_expected=self._groups(missing_expected(document, self.catalog)),
            value_mappings=value_views(document, self.catalog),
        )

    async def proposed_before(
        self, account: str, session: str, session_version: int, analysis: str
    ) -> Sequence[Outgoing] | None:
        """What was sent when this analysis was proposed for; None where it never was.

        A repeat is answered from what is stored: memory or a language model may say something else by now, and that
        must not replace what somebody has looked at and approved.
        """
        document = await self._document(account, session)
        stored = _parsed(document) if document else None
        if stored is None or not stored.versions or stored.latest.session_version < session_version:
            return None
        if stored.latest.session_version > session_version:
            return []
        if not any(v.session_version == session_version and v.analysis == analysis for v in stored.versions):
            return None
        if not _proposal_kept(stored):
            return None
        return [self._proposed(stored, await self._read(stored.latest.document))]

    async def propose(
        self, account: str, session: str, session_version: int, mapping: MappingDocument, analysis: str = ""
    ) -> Sequence[Outgoing]:
        """Keeps a proposal; the same one again, or one for older files, changes nothing. Returns what to send.

        `analysis`: address of the analysis it was made from.
        """
        async for _ in tries(f"The mapping of session {session}"):
            document = await self._document(account, session)
            stored = _parsed(document) if document else SessionMapping(session=session, account=account)
            address = await self._save(mapping)
            known = stored.versions[-1] if stored.versions else None
            if known and known.session_version > session_version:
                return []
            is_current = known is not None and known.session_version == session_version
            if known is not None and is_current and (known.made_by != "proposal" or known.document == address):
                # What a person has changed stays as it is; a reset brings the new proposal.
                if stored.proposed == address:
                    return [self._proposed(stored, await self._read(known.document))]
            else:
                stored.versions.append(_next(stored, session_version, address, "proposal", analysis))
            stored.proposed = address
            with contextlib.suppress(ConflictError):
                await self._put(stored, document, [])
                return [self._proposed(stored, await self._read(stored.latest.document))]
        raise AssertionError("tries() ends by an error")

    async def replace(self, account: str, session: str, actor: str, mapping: MappingDocument) -> None:
        """Takes a mapping given by hand. It must name the session's files; unknown ones are refused."""
        document = await self._document(account, session)
        if document is None:
            raise _not_analysed(session)
        stored = _parsed(document)
        current = await self._read(stored.latest.document)
        left_out = _left_out_by_hand(mapping, current, stored.latest.left_out)
        adapted = _adapted(mapping, current, left_out)
        missing_required(adapted, self.catalog)
        await self._add(stored, document, await self._save(adapted), adapted, actor, left_out)

    async def reset(self, account: str, session: str, actor: str) -> None:
        """Makes the proposal the mapping again, as a new version; changes made by hand stay in the older ones."""
        document = await self._document(account, session)
        if document is None:
            raise _not_analysed(session)
        stored = _parsed(document)
        address = _proposal_kept(stored)
        if address is None:
            raise ConflictError(
                f"The proposal for session {session} is no longer kept. Nothing was changed.",
                next_step="Analyse the session again: that makes a new one.",
            )
        if stored.latest.document != address:
            await self._add(stored, document, address, await self._read(address), actor)

    async def approve(self, account: str, session: str, actor: str) -> None:
        """Approves the latest version; BadInputError names what is missing. Approving twice only tells it again.

        ConflictError where another version comes at the same moment: nobody has looked at that one.
        """
        looked_at: Version | None = None
        async for _ in tries(f"The mapping of session {session}"):
            document = await self._document(account, session)
            if document is None:
                raise _not_analysed(session)
            stored = _parsed(document)
            looked_at = looked_at or stored.latest.model_copy()
            if stored.latest.number != looked_at.number:
                raise ConflictError(
                    "The mapping was changed while it was approved. Nothing was approved.",
                    next_step="Look at the new version, then approve it.",
                )
            with contextlib.suppress(ConflictError):
                await self._put(stored, document, [await self._approved(stored, actor)])
                break
        await self._learn(stored, actor)

    async def _approved(self, stored: SessionMapping, actor: str) -> Outgoing:
        """Marks the latest version as approved; what to send."""
        version = stored.latest
        mapping = await self._read(version.document)
        if missing := self._groups(missing_required(mapping, self.catalog)):
            needs = "; ".join(f"{group.file}: {' or '.join(group.labels)}" for group in missing)
            raise BadInputError(
                f"The import cannot start: no column is chosen for {needs}.",
                next_step="Choose a column for each of them, or leave the file out. Nothing was imported.",
                code="needs_mapping",
            )
        version.approved_by = version.approved_by or actor
        message = MappingApproved(
            account=stored.account,
            session=stored.session,
            version=version.session_version,
            mapping_version=version.number,
            mapping=version.document,
        )
        return Outgoing(topics.MAPPING_APPROVED, message, stored.session, stored.session)

    async def _learn(self, stored: SessionMapping, actor: str) -> None:
        """Hands the approved version to the memory. The approval stands whether or not that succeeds."""
        if self.memory is None:
            return
        version = stored.latest
        try:
            taken_out = set(version.left_out)
            seen = dict.fromkeys(taken_out, Seen(left_out=True))
            if version.analysis:
                analysis = msgspec.msgpack.decode(await self.files.read(version.analysis), type=_AnalysisKinds)
                chosen = {file for file, entity in analysis.entities.items() if entity is None}
                for f in analysis.detections:
                    left_out = f.sha256 in taken_out or f.file in chosen
                    seen[f.sha256] = Seen([column.type for column in f.columns], f.entity, left_out)
            mapping = await self._read(version.document)
            await self.memory.learn(stored.account, mapping, seen, session=stored.session, actor=actor)
        except (RetryableError, NotFoundError) as error:
            emit(MAPPING_NOT_REMEMBERED, session_id=stored.session, exc_info=error)

    # ---- inside -----------------------------------------------------------------------------------------------

    async def _add(
        self,
        stored: SessionMapping,
        document: Document,
        address: str,
        mapping: MappingDocument,
        actor: str,
        left_out: Sequence[str] = (),
    ) -> None:
        """Appends a version that somebody made."""
        latest = stored.latest
        version = _next(stored, latest.session_version, address, actor, latest.analysis)
        stored.versions.append(version.model_copy(update={"left_out": list(left_out)}))
        await self._put(stored, document, [self._proposed(stored, mapping)])

    async def _read(self, address: str) -> MappingDocument:
        return MappingDocument.model_validate_json(await self.files.read(address))

    async def _document(self, account: str, session: str) -> Document | None:
        return await self.documents.get(MAPPINGS, session, account=account)

    async def _stored(self, account: str, session: str) -> SessionMapping:
        document = await self._document(account, session)
        if document is None:
            raise _not_analysed(session)
        return _parsed(document)

    async def _save(self, mapping: MappingDocument) -> str:
        return (await self.files.put_bytes(mapping.model_dump_json().encode())).sha256

    async def _put(self, stored: SessionMapping, document: Document | None, messages: Sequence[Outgoing]) -> None:
        while len(stored.versions) > VERSIONS_MAX:
            stored.versions.pop(next((i for i, v in enumerate(stored.versions) if not v.approved_by), 0))
        await self.outbox.put(
            MAPPINGS,
            stored.session,
            stored.model_dump_json().encode(),
            account=stored.account,
            expected_revision=document.revision if document else 0,
            messages=messages,
        )

    def _proposed(self, stored: SessionMapping, mapping: MappingDocument) -> Outgoing:
        message = MappingProposed(
            account=stored.account,
            session=stored.session,
            version=stored.latest.session_version,
            mapping_version=stored.latest.number,
            missing=len(missing_required(mapping, self.catalog)),
        )
        return Outgoing(topics.MAPPING_PROPOSED, message, stored.session, stored.session)

    def _groups(self, missing: Sequence[tuple[str, str, tuple[str, ...]]]) -> list[MissingGroup]:
        return [
            MissingGroup(
                file=file,
                entity=entity,
                fields=list(group),
                labels=[self.catalog[entity].fields[name].label for name in group],
            )
            for file, entity, group in missing
        ]


def _adapted(given: MappingDocument, current: MappingDocument, left_out: Collection[str]) -> MappingDocument:
    """A mapping by hand on the session's files: by content hash, else by name with equal headers.

    `left_out`: content hashes of the files that it takes out.
    """
    by_name = {file.file: file for file in given.files}
    files = []
    for file, chosen in _pairs(given, current):
        if chosen is None:
            files.append(_without_records(file, _NOT_NAMED) if file.records else file)
            continue
        if chosen.headers != file.headers:
            raise BadInputError(
                f"The mapping given for {file.file} belongs to a file with other columns.",
                next_step="Export the mapping of these files, change it, and import that. Nothing was changed.",
                code="mapping",
            )
        own = chosen.model_copy(update={"file": file.file, "sha256": file.sha256})
        if not own.records and file.sha256 in left_out:
            own = _without_records(own, _LEFT_OUT)
        files.append(with_known_counts(own, file))
    if unknown := set(by_name) - {file.file for file in current.files} - {f.file for f in files}:
        raise BadInputError(
            f"The mapping names files that are not in this session: {', '.join(sorted(unknown))}.",
            next_step="Take them out of the mapping, or add the files. Nothing was changed.",
            code="mapping",
        )
    return given.model_copy(update={"files": tuple(files)})


def _pairs(given: MappingDocument, current: MappingDocument) -> Iterator[tuple[FileMapping, FileMapping | None]]:
    """Each file of the session with what the given mapping says of it."""
    by_hash = {file.sha256: file for file in given.files}
    by_name = {file.file: file for file in given.files}
    for file in current.files:
        yield file, by_hash.get(file.sha256) or by_name.get(file.file)


def _without_records(file: FileMapping, reason: str) -> FileMapping:
    return file.model_copy(update={"records": (), "entity_confidence": 1.0, "reasons": (reason,)})


def _left_out_by_hand(given: MappingDocument, current: MappingDocument, before: Sequence[str]) -> list[str]:
    """Files that the given mapping names and takes out, now or already `before`; not those that it does not name."""
    return [
        file.sha256
        for file, chosen in _pairs(given, current)
        if chosen is not None and not chosen.records and (file.records or file.sha256 in before)
    ]


def _next(stored: SessionMapping, session_version: int, address: str, made_by: str, analysis: str) -> Version:
    number = stored.versions[-1].number + 1 if stored.versions else 1
    return Version(number=number, session_version=session_version, document=address, made_by=made_by, analysis=analysis)


def _proposal_kept(stored: SessionMapping) -> str | None:
    """The latest proposal for the files as they are; mappings of older hubs do not note it beside their versions."""
    if stored.proposed:
        return stored.proposed
    now = stored.latest.session_version
    return next(
        (v.document for v in reversed(stored.versions) if (v.made_by, v.session_version) == ("proposal", now)), None
    )


def _parsed(document: Document) -> SessionMapping:
    return SessionMapping.model_validate_json(document.body)


def _not_analysed(session: str) -> NotFoundError:
    return NotFoundError(
        f"Session {session} has no mapping yet.", next_step="Analyse its files first, then look again."
    )
