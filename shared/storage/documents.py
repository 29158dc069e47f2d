"""Small control documents (sessions, runs, mappings, tokens): the port `Documents` and its SQLite adapter.

A document is a body of bytes with a revision. A change concerns one document, compare-and-swap where it matters, so
that a store without transactions over several documents can stand behind the same port.
"""

from __future__ import annotations

import base64
import binascii
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from shared.errors import BadInputError, ConflictError
from shared.storage.sqlite import SqliteDatabase

# Half of MongoDB's limit of 16 MiB, so that a document with its outbox fits every adapter.
DOCUMENT_BYTES_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """One stored document. `revision` counts its puts from 1; `order` is the text that `find` sorts by."""

    collection: str
    id: str
    account: str
    revision: int
    order: str
    body: bytes


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some documents in order; `cursor` continues after the last one and is None where there are no more."""

    documents: tuple[Document, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class PendingOutbox:
    """Messages that one put saved and nobody has cleared yet, in the order they were given."""

    collection: str
    id: str
    account: str
    revision: int
    messages: tuple[bytes, ...]


class Documents(Protocol):
    """Durable documents. Every call is atomic for its document, also against other processes; writes return durable."""

    async def get(self, collection: str, id: str, *, account: str | None = None) -> Document | None:
        """The document, or None where there is none or, with `account`, where it belongs to another account."""
        ...

    async def put(
        self,
        collection: str,
        id: str,
        body: bytes,
        *,
        account: str,
        expected_revision: int | None,
        order: str | None = None,
        outbox: Sequence[bytes] = (),
    ) -> int:
        """Create or replace the document and return its new revision.

        `expected_revision`: 0 = must not exist, None = whatever is there, else it must be the current one;
        ConflictError otherwise, and for a document of another account. `order` None keeps the order (empty for a new
        document). `outbox`: messages to publish because of this change. They are saved with it, beside those of earlier
        revisions that are not published yet, and stay until `clear_outbox` is called with the returned revision.
        Body and messages together may have DOCUMENT_BYTES_MAX bytes, else BadInputError.
        """
        ...

    async def find(
        self,
        collection: str,
        *,
        account: str | None = None,
        newest_first: bool = False,
        after: str | None = None,
        limit: int = 100,
    ) -> DocumentPage:
        """Documents by (order, id), downwards with `newest_first`; of one account, or of all with None.

        `after` is the cursor of the page before; BadInputError where it is no cursor. What is added or removed between
        two pages neither repeats nor hides other documents.
        """
        ...

    async def delete(self, collection: str, id: str, *, expected_revision: int | None = None) -> bool:
        """Remove the document; False where there is none.

        ConflictError where the revision is another one, or where messages of it are still to be published.
        """
        ...

    async def pending_outbox(self, older_than_seconds: float, *, limit: int = 100) -> list[PendingOutbox]:
        """Messages saved longer ago than that and not cleared, oldest first, a document's own in revision order."""
        ...

    async def clear_outbox(self, collection: str, id: str, revision: int) -> None:
        """Forget the messages saved by that revision, after they were published. Others stay. Repeating is harmless."""
        ...


class SavedMessages(msgspec.Struct, array_like=True, frozen=True):
    """Messages of one revision as every adapter keeps them with the document."""

    revision: int
    saved_at: float
    messages: tuple[bytes, ...]


_OUTBOX_ENCODER = msgspec.msgpack.Encoder()
_OUTBOX_DECODER = msgspec.msgpack.Decoder(tuple[SavedMessages, ...])


def encode_outbox(saved: tuple[SavedMessages, ...]) -> bytes | None:
    """The outbox as it is stored; None where it is empty."""
    return _OUTBOX_ENCODER.encode(saved) if saved else None


def decode_outbox(stored: bytes | None) -> tuple[SavedMessages, ...]:
    """The outbox of a document, by revision."""
    return _OUTBOX_DECODER.decode(stored) if stored is not None else ()


# An ordinary table with a unique index: measured twice as fast for upserts as WITHOUT ROWID.
_SCHEMA = (
    """CREATE TABLE documents (
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        account TEXT NOT NULL,
        revision INTEGER NOT NULL,
        sort_order TEXT NOT NULL,
        body BLOB NOT NULL,
        outbox BLOB,
        outbox_since REAL
    ) STRICT""",
    "CREATE UNIQUE INDEX documents_by_id ON documents (collection, id)",
    "CREATE INDEX documents_by_order ON documents (collection, sort_order, id)",
    "CREATE INDEX documents_by_account ON documents (collection, account, sort_order, id)",
    "CREATE INDEX documents_with_outbox ON documents (outbox_since) WHERE outbox_since IS NOT NULL",
)
_COLUMNS = "collection, id, account, revision, sort_order, body"


class SqliteDocuments:
    """`Documents` in a SQLite file, which other stores may share. Call `start` once before anything else."""

    def __init__(self, database: SqliteDatabase, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def start(self) -> None:
        """Make or update the tables."""
        await self._database.migrate("documents", _SCHEMA)

    async def get(self, collection: str, id: str, *, account: str | None = None) -> Document | None:
        document = await self._database.read(lambda connection: _select(connection, collection, id))
        return document if document is None or account in (None, document.account) else None

    async def put(
        self,
        collection: str,
        id: str,
        body: bytes,
        *,
        account: str,
        expected_revision: int | None,
        order: str | None = None,
        outbox: Sequence[bytes] = (),
    ) -> int:
        check_size(collection, id, len(body) + sum(map(len, outbox)))
        messages = tuple(outbox)
        now = self._clock()

        def write(connection: sqlite3.Connection) -> int:
            current = _select(connection, collection, id)
            check_revision(current, collection, id, expected_revision, account)
            if current is None:
                connection.execute(
                    "INSERT INTO documents VALUES (?, ?, ?, 1, ?, ?, NULL, NULL)",
                    (collection, id, account, order or "", body),
                )
            else:
                connection.execute(
                    "UPDATE documents SET revision = revision + 1, sort_order = ?, body = ?"
                    " WHERE collection = ? AND id = ?",
                    (current.order if order is None else order, body, collection, id),
                )
            revision = current.revision + 1 if current else 1
            if messages:
                saved = (*_outbox_of(connection, collection, id), SavedMessages(revision, now, messages))
                _store_outbox(connection, collection, id, saved)
            return revision

        return await self._database.write(write)

    async def find(
        self,
        collection: str,
        *,
        account: str | None = None,
        newest_first: bool = False,
        after: str | None = None,
        limit: int = 100,
    ) -> DocumentPage:
        conditions, values = ["collection = ?"], [collection]
        if account is not None:
            conditions.append("account = ?")
            values.append(account)
        if after is not None:
            conditions.append(f"(sort_order, id) {'<' if newest_first else '>'} (?, ?)")
            values.extend(position_of(after))
        direction = "DESC" if newest_first else "ASC"
        statement = (
            f"SELECT {_COLUMNS} FROM documents WHERE {' AND '.join(conditions)}"
            f" ORDER BY sort_order {direction}, id {direction} LIMIT {int(limit) + 1}"
        )
        rows = await self._database.read(lambda connection: connection.execute(statement, values).fetchall())
        documents = tuple(Document(*row) for row in rows[:limit])
        return DocumentPage(documents, cursor_of(documents[-1]) if len(rows) > limit and documents else None)

    async def delete(self, collection: str, id: str, *, expected_revision: int | None = None) -> bool:
        def write(connection: sqlite3.Connection) -> bool:
            current = _select(connection, collection, id)
            if current is None:
                return False
            check_revision(current, collection, id, expected_revision, current.account)
            if _outbox_of(connection, collection, id):
                raise still_to_be_published(collection, id)
            connection.execute("DELETE FROM documents WHERE collection = ? AND id = ?", (collection, id))
            return True

        return await self._database.write(write)

    async def pending_outbox(self, older_than_seconds: float, *, limit: int = 100) -> list[PendingOutbox]:
        latest = self._clock() - older_than_seconds
        statement = (
            f"SELECT {_COLUMNS}, outbox FROM documents WHERE outbox_since <= ? ORDER BY outbox_since LIMIT {int(limit)}"
        )
        rows = await self._database.read(lambda connection: connection.execute(statement, (latest,)).fetchall())
        return [
            PendingOutbox(collection, id, account, saved.revision, saved.messages)
            for collection, id, account, _, _, _, outbox in rows
            for saved in decode_outbox(outbox)
            if saved.saved_at <= latest
        ]

    async def clear_outbox(self, collection: str, id: str, revision: int) -> None:
        def write(connection: sqlite3.Connection) -> None:
            kept = tuple(saved for saved in _outbox_of(connection, collection, id) if saved.revision != revision)
            _store_outbox(connection, collection, id, kept)

        await self._database.write(write)


def _select(connection: sqlite3.Connection, collection: str, id: str) -> Document | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM documents WHERE collection = ? AND id = ?", (collection, id)
    ).fetchone()
    return Document(*row) if row else None


def _outbox_of(connection: sqlite3.Connection, collection: str, id: str) -> tuple[SavedMessages, ...]:
    row = connection.execute(
        "SELECT outbox FROM documents WHERE collection = ? AND id = ?", (collection, id)
    ).fetchone()
    return decode_outbox(row[0]) if row else ()


def _store_outbox(connection: sqlite3.Connection, collection: str, id: str, saved: tuple[SavedMessages, ...]) -> None:
    connection.execute(
        "UPDATE documents SET outbox = ?, outbox_since = ? WHERE collection = ? AND id = ?",
        (encode_outbox(saved), saved[0].saved_at if saved else None, collection, id),
    )


class _Revised(Protocol):
    """What is there of a document already."""

    @property
    def account(self) -> str: ...
    @property
    def revision(self) -> int: ...


def check_revision(current: _Revised | None, collection: str, id: str, expected: int | None, account: str) -> None:
    """ConflictError unless what is there may be written by this account with this expectation."""
    found = current.revision if current else 0
    if current is not None and current.account != account:
        # Says nothing about the other account's document.
        raise ConflictError(
            f"{collection} {id} cannot be written. Nothing was changed.", next_step="Choose another id."
        )
    if expected is not None and expected != found:
        raise ConflictError(
            f"{collection} {id} has moved on: revision {found}, not {expected}. Nothing was changed.",
            next_step="Read it again and repeat the change.",
        )


def still_to_be_published(collection: str, id: str) -> ConflictError:
    """Why a document cannot be removed yet."""
    return ConflictError(
        f"{collection} {id} has messages that are still to be published. It was not removed.",
        next_step="Try again in some seconds.",
    )


def check_size(collection: str, id: str, size: int) -> None:
    """BadInputError for a document with its new messages above DOCUMENT_BYTES_MAX."""
    if size > DOCUMENT_BYTES_MAX:
        raise BadInputError(
            f"{collection} {id} has {size:,} bytes; a document may have {DOCUMENT_BYTES_MAX:,}. Nothing was changed.",
            next_step="Keep large content in a file and store its hash.",
        )


def cursor_of(document: Document) -> str:
    """The cursor that continues behind a document."""
    return base64.urlsafe_b64encode(msgspec.json.encode((document.order, document.id))).decode().rstrip("=")


def position_of(cursor: str) -> tuple[str, str]:
    """(order, id) of a cursor; BadInputError where it is none."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=tuple[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadInputError(
            "This is not a cursor of the hub.", next_step="Start again from the first page, without a cursor."
        ) from error
