"""Opens the stores that the settings name: SQLite files and folders, or MongoDB with GridFS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from services.locations import Folder, MongoServer, SqliteFile
from services.settings import HubSettings
from shared.errors import ConfigurationError
from shared.messages.envelope import Clock
from shared.storage.documents import Documents, SqliteDocuments
from shared.storage.files import DirectoryFiles, Files
from shared.storage.outcomes import OutcomeStore, SqliteOutcomeStore
from shared.storage.progress import ProgressStore, SqliteProgressStore
from shared.storage.records import RecordStore, SqliteRecordStore
from shared.storage.sqlite import SqliteDatabase
from shared.storage.staging import SqliteStagingStore, StagingStore


@dataclass(frozen=True)
class Stores:
    """Everything the services keep."""

    documents: Documents
    records: RecordStore
    progress: ProgressStore
    outcomes: OutcomeStore
    staging: StagingStore
    files: Files


@asynccontextmanager
async def open_stores(settings: HubSettings, clock: Clock) -> AsyncIterator[Stores]:
    """The stores, with their tables and indexes, while the context lasts.

    ConfigurationError where an address cannot be used, RetryableError where a server is away.
    """
    async with AsyncExitStack() as stack:
        place = settings.store_place
        if isinstance(place, SqliteFile):
            stores = _sqlite_stores(stack, place.path, settings, clock)
        else:
            stores = await _mongo_stores(stack, place, settings, clock)
        for field in fields(stores):
            if (start := getattr(getattr(stores, field.name), "start", None)) is not None:
                await start()
        yield stores


def _sqlite_stores(stack: AsyncExitStack, path: Path, settings: HubSettings, clock: Clock) -> Stores:
    """Staging churns: it lies in a file of its own, and the store beside it stays the user's data alone."""
    make_folder(path.parent)
    store = SqliteDatabase(path)
    stack.push_async_callback(store.close)
    staging = SqliteDatabase(path.with_name("staging.db"))
    stack.push_async_callback(staging.close)
    return Stores(
        documents=SqliteDocuments(store, clock=clock),
        records=SqliteRecordStore(store),
        progress=SqliteProgressStore(store),
        outcomes=SqliteOutcomeStore(store),
        staging=SqliteStagingStore(staging),
        files=_directory_files(settings),
    )


async def _mongo_stores(stack: AsyncExitStack, place: MongoServer, settings: HubSettings, clock: Clock) -> Stores:
    try:
        import shared.storage.mongo as mongo
    except ImportError as error:
        raise missing_extra("HUB_STORE", error) from error
    database = mongo.MongoDatabase(place.url)
    stack.push_async_callback(database.close)
    await database.open()
    is_folder = isinstance(settings.files_place, Folder)
    return Stores(
        documents=mongo.MongoDocuments(database, clock=clock),
        records=mongo.MongoRecordStore(database),
        progress=mongo.MongoProgressStore(database),
        outcomes=mongo.MongoOutcomeStore(database),
        staging=mongo.MongoStagingStore(database),
        files=_directory_files(settings) if is_folder else mongo.GridFsFiles(database, settings.data_dir / "cache"),
    )


def _directory_files(settings: HubSettings) -> Files:
    place = settings.files_place
    assert isinstance(place, Folder)  # the settings refuse gridfs without MongoDB
    make_folder(place.path)
    return DirectoryFiles(place.path)


def make_folder(path: Path) -> None:
    """Makes a folder for the hub's data. ConfigurationError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {path} cannot be used: {error.strerror}. Nothing was started.",
            next_step="Choose another one with HUB_STORE, HUB_FILES, HUB_BUS or --data-dir.",
        ) from error


def missing_extra(variable: str, error: ImportError) -> ConfigurationError:
    """What to install for an address that needs a driver."""
    return ConfigurationError(
        f"{variable} needs a driver that is not installed ({error.name}). Nothing was started.",
        next_step="Install it with: pip install 'migration-hub[kafka,mongo]'",
    )
