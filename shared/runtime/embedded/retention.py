"""Deleting old messages from the embedded log, and giving their space back to the disk."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial

from shared.runtime.embedded.log import OFFSET_BITS, PARTITIONS_MAX, EmbeddedLog
from shared.storage.sqlite import open_connection

# Each chunk is one job of the log's writer: short enough (some 50 ms at 98 KB a message) that publishers do not notice.
MESSAGES_PER_CHUNK = 200
PAGES_PER_CHUNK = 1_000


async def expire(log: EmbeddedLog, now: float) -> int:
    """Delete what is older than its topic keeps it and committed by every known group; returns how many messages.

    A group that exists and does not run holds its messages: `lag` shows it.
    """
    deleted = 0
    for number, limit, cutoff in await log.database.read(lambda connection: _limits(connection, now)):
        delete = partial(_delete_chunk, span=(number << OFFSET_BITS, limit, cutoff))
        while chunk := await log.database.write(delete):
            deleted += chunk
    if deleted:
        while await log.database.write(_free_chunk):
            pass
        await asyncio.to_thread(_shrink, log)
    return deleted


def _limits(connection: sqlite3.Connection, now: float) -> list[tuple[int, int, int]]:
    """Per partition: its number, the first id that a group still needs, and the time (ms) before which it is old."""
    rows = connection.execute(
        "SELECT p.number, coalesce(min(o.next_offset), p.next_offset), t.retention_hours FROM partitions p"
        f" JOIN topics t ON t.id = p.number / {PARTITIONS_MAX} LEFT JOIN offsets o ON o.number = p.number"
        " GROUP BY p.number"
    )
    return [
        (number, number << OFFSET_BITS | needed, int((now - hours * 3600) * 1000)) for number, needed, hours in rows
    ]


def _delete_chunk(connection: sqlite3.Connection, span: tuple[int, int, int]) -> int:
    return connection.execute(
        "DELETE FROM messages WHERE id IN"
        " (SELECT id FROM messages WHERE id >= ? AND id < ? AND time < ? ORDER BY id LIMIT ?)",
        (*span, MESSAGES_PER_CHUNK),
    ).rowcount


def _free_chunk(connection: sqlite3.Connection) -> bool:
    """Give back some free pages; False when there are none left.

    Python runs one step of `PRAGMA incremental_vacuum` per call whatever its argument, and a step is a page.
    `executescript` would run all of them, but it commits the transaction shared with others.
    """
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(min(free, PAGES_PER_CHUNK)):
        connection.execute("PRAGMA incremental_vacuum(1)")
    return free > PAGES_PER_CHUNK


def _shrink(log: EmbeddedLog) -> None:
    """The file itself gets shorter at a checkpoint only. Readers at work may keep it from being complete: no harm."""
    connection = open_connection(log.database.path)
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    finally:
        connection.close()
