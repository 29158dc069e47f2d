"""The mappings of sessions: proposed, changed, approved. A mapping is a versioned document; nothing is overwritten."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.mapper.mapping_plan import missing_expected, missing_required
from services.mapper.model import MAPPINGS, MappingView, MissingGroup, SessionMapping, Version
from shared.catalog import Catalog
from shared.errors import BadInputError, ConflictError, NotFoundError
from shared.messages import topics
from shared.messages.control import MappingApproved, MappingProposed
from shared.messages.envelope import Outgoing
from shared.messages.mapping import MappingDocument
from shared.runtime.outbox import Outbox
from shared.storage.documents import Document, Documents
from shared.storage.files import Files
from shared.storage.swapping import tries

VERSIONS_MAX = 200
"""Versions kept of one session's mapping; the oldest unapproved ones go first."""


@dataclass
class Mappings:
    """The mappings of all accounts over their stores."""

    documents: Documents
    outbox: Outbox
    files: Files
    catalog: Catalog

    async def view(self, account: str, session: str) -> MappingView:
        """The mapping that counts; NotFoundError until the session is analysed."""
        stored = await self._stored(account, session)
        version = stored.latest
        document = MappingDocument.model_validate_json(await self.files.read(version.document))
        return MappingView(
            session=session,
            number=version.number,
            session_version=version.session_version,
            approved=version.approved_by is not None,
            made_by=version.made_by,
            mapping=document,
            missing_required=self._groups(missing_required(document, self.catalog)),
            missing_expected=self._groups(missing_expected(document, self.catalog)),
        )

    async def propose(
        self, account: str, session: str, session_version: int, mapping: MappingDocument
    ) -> Sequence[Outgoing]:
        """Keeps a proposal; the same one again, or one for older files, changes nothing. Returns what to send."""
        async for _ in tries(f"The mapping of session {session}"):
            document = await self._document(account, session)
            stored = _parsed(document) if document else SessionMapping(session=session, account=account)
            address = await self._save(mapping)
            known = stored.versions[-1] if stored.versions else None
            if known and known.session_version > session_version:
                return []
            if known is None or (known.session_version, known.document) != (session_version, address):
                if known and known.session_version == session_version and known.made_by != "proposal":
                    return [self._proposed(stored, mapping)]  # a person has changed it: a repeat does not undo that
                stored.versions.append(_next(stored, session_version, address, "proposal"))
                try:
                    await self._put(stored, document, [])
                except ConflictError:
                    continue
            return [self._proposed(stored, mapping)]
        raise AssertionError("tries() ends by an error")

    async def replace(self, account: str, session: str, actor: str, mapping: MappingDocument) -> None:
        """Takes a mapping given by hand. It must name the session's files; unknown ones are refused."""
        document = await self._document(account, session)
        if document is None:
            raise _not_analysed(session)
        stored = _parsed(document)
        current = MappingDocument.model_validate_json(await self.files.read(stored.latest.document))
        adapted = _adapted(mapping, current)
        missing_required(adapted, self.catalog)
        stored.versions.append(_next(stored, stored.latest.session_version, await self._save(adapted), actor))
        await self._put(stored, document, [self._proposed(stored, adapted)])

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
                return

    async def _approved(self, stored: SessionMapping, actor: str) -> Outgoing:
        """Marks the latest version as approved; what to send."""
        version = stored.latest
        mapping = MappingDocument.model_validate_json(await self.files.read(version.document))
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

    # ---- inside -----------------------------------------------------------------------------------------------

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


def _adapted(given: MappingDocument, current: MappingDocument) -> MappingDocument:
    """A mapping by hand on the session's files: by content hash, else by name with equal headers."""
    by_hash = {file.sha256: file for file in given.files}
    by_name = {file.file: file for file in given.files}
    files = []
    for file in current.files:
        chosen = by_hash.get(file.sha256) or by_name.get(file.file)
        if chosen is None:
            files.append(file.model_copy(update={"records": ()}))
            continue
        if chosen.headers != file.headers:
            raise BadInputError(
                f"The mapping given for {file.file} belongs to a file with other columns.",
                next_step="Export the mapping of these files, change it, and import that. Nothing was changed.",
                code="mapping",
            )
        files.append(chosen.model_copy(update={"file": file.file, "sha256": file.sha256}))
    if unknown := set(by_name) - {file.file for file in current.files} - {f.file for f in files}:
        raise BadInputError(
            f"The mapping names files that are not in this session: {', '.join(sorted(unknown))}.",
            next_step="Take them out of the mapping, or add the files. Nothing was changed.",
            code="mapping",
        )
    return given.model_copy(update={"files": tuple(files)})


def _next(stored: SessionMapping, session_version: int, address: str, made_by: str) -> Version:
    number = stored.versions[-1].number + 1 if stored.versions else 1
    return Version(number=number, session_version=session_version, document=address, made_by=made_by)


def _parsed(document: Document) -> SessionMapping:
    return SessionMapping.model_validate_json(document.body)


def _not_analysed(session: str) -> NotFoundError:
    return NotFoundError(
        f"Session {session} has no mapping yet.", next_step="Analyse its files first, then look again."
    )
