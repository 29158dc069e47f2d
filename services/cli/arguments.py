"""What the arguments of a command mean: files, entity types set by hand, a mapping document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.errors import BadInputError

FOLDER_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files meant: as given, folders by the names of the files in them. BadInputError names a wrong path."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.lower() in FOLDER_SUFFIXES)
            if not inside:
                raise BadInputError(
                    f"The folder {path} holds no delimited files ({', '.join(sorted(FOLDER_SUFFIXES))}).",
                    next_step="Name the files themselves. Nothing was imported.",
                )
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise BadInputError(f"There is no file {path}. Nothing was imported.", next_step="Check the path.")
    # The same path twice is one file.
    return list(dict.fromkeys(file.absolute() for file in files))


def entities_of(given: Sequence[str], files: Sequence[Path]) -> dict[str, str]:
    """File name -> entity type, from FILE=TYPE arguments. BadInputError for an unknown type or file."""
    if not given:
        return {}
    from shared.catalog import load_catalog

    catalog, names = load_catalog(), {file.name for file in files}
    entities: dict[str, str] = {}
    for argument in given:
        name, sign, entity = argument.rpartition("=")
        if not sign or Path(name).name not in names:
            raise BadInputError(
                f"--entity {argument} names none of the files.", next_step="Write --entity clients.csv=customers."
            )
        if entity not in catalog:
            raise BadInputError(
                f"There is no entity type {entity!r}.", next_step=f"Choose one of {', '.join(catalog.entities)}."
            )
        entities[Path(name).name] = entity
    return entities


def mapping_of(file: Path | None, *, strict: bool, source_label: str | None) -> dict[str, Any] | None:
    """A mapping document from a YAML file as JSON; options given beside it win."""
    if file is None:
        return None
    from services.mapper.api import mapping_from_yaml

    try:
        document = mapping_from_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The mapping {file} cannot be read: {error}.", next_step="Check the path.") from error
    changes: dict[str, Any] = {"strict": True} if strict else {}
    if source_label:
        changes["source_label"] = source_label
    return document.model_copy(update=changes).model_dump(mode="json")
