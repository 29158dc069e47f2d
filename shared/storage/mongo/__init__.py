"""The storage ports on MongoDB (decision 0012)."""

from shared.storage.mongo.database import MongoDatabase
from shared.storage.mongo.documents import MongoDocuments
from shared.storage.mongo.files import GridFsFiles
from shared.storage.mongo.outcomes import MongoOutcomeStore
from shared.storage.mongo.progress import MongoProgressStore
from shared.storage.mongo.records import MongoRecordStore
from shared.storage.mongo.staging import MongoStagingStore

__all__ = [
    "GridFsFiles",
    "MongoDatabase",
    "MongoDocuments",
    "MongoOutcomeStore",
    "MongoProgressStore",
    "MongoRecordStore",
    "MongoStagingStore",
]
