"""`python -m shared.messages.generate`: writes JSON schemas, the page of topics and `asyncapi.json` from the registry.

`--check` writes nothing and fails where something committed is stale, an example is missing or left over, or a released
contract was broken. `--release` makes the present schemas the released ones: what later changes are measured against.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel

from shared.messages.analysis import Analysis, SampledFile
from shared.messages.asyncapi import asyncapi_document
from shared.messages.batches import Problem, ReferenceColumn
from shared.messages.compatibility import breaking_changes
from shared.messages.envelope import Topic
from shared.messages.landing import LandedFile
from shared.messages.mapping import MappingDocument
from shared.messages.plan import RunPlan
from shared.messages.topics import TOPICS, consumer_group

FOLDER = Path(__file__).parent
SCHEMAS = "schemas"
EXAMPLES = "examples"
RELEASED = "schemas/released.json"
TOPICS_PAGE = "TOPICS.md"
ASYNCAPI = FOLDER.parents[1] / "asyncapi.json"
"""At the root of the project: it is what subscribers take away."""

ARTIFACTS: dict[str, Any] = {
    "analysis": Analysis,
    "landed-file": LandedFile,
    "mapping": MappingDocument,
    "problem": Problem,
    "reference-column": ReferenceColumn,
    "run-plan": RunPlan,
    "sampled-files": list[SampledFile],
}
"""What messages only point to (claim checks) or carry compressed: their contract binds services just the same."""


def schema_of(model: Any) -> dict[str, Any]:
    """The JSON schema of a pydantic model or a msgspec type. Bytes are base64 in JSON."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model.model_json_schema()
    schema: dict[str, Any] = _with_clean_descriptions(msgspec.json.schema(model))
    return schema


def _with_clean_descriptions(schema: Any) -> Any:
    """Docstrings keep their indentation before Python 3.13 and lose it from there on; the schemas must not differ."""
    if isinstance(schema, dict):
        return {
            key: cleandoc(value) if key == "description" and isinstance(value, str) else _with_clean_descriptions(value)
            for key, value in schema.items()
        }
    return [_with_clean_descriptions(item) for item in schema] if isinstance(schema, list | tuple) else schema


def schemas(topics: Sequence[Topic] = TOPICS, artifacts: Mapping[str, Any] = ARTIFACTS) -> dict[str, dict[str, Any]]:
    """File name below `schemas/` -> JSON schema, for every topic and artifact."""
    found = {f"{topic.name}.schema.json": schema_of(topic.model) for topic in topics}
    return found | {f"artifacts/{name}.schema.json": schema_of(model) for name, model in artifacts.items()}


def topics_page(topics: Sequence[Topic] = TOPICS) -> str:
    """The registry as a page to read."""
    lines = [
        "# Topics",
        "",
        "Written by `python -m shared.messages.generate` from `shared/messages/topics.py`; do not edit it by hand.",
        "",
        "Public topics promise their contract to other systems and never carry a cell's value. What a consumer group",
        "gives up goes to `<topic>.<consumer group>.dlq`.",
        "",
        "| topic | what it says | from | consumer groups | key | format | kept | public |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for topic in sorted(topics, key=lambda topic: topic.name):
        groups = ", ".join(f"`{consumer_group(service, topic)}`" for service in topic.consumers)
        form = "JSON" if issubclass(topic.model, BaseModel) else "MessagePack"
        lines.append(
            f"| `{topic.name}` | {topic.purpose} | {topic.producer} | {groups} | {topic.keyed_by} | {form} |"
            f" {topic.retention_hours} h | {'yes' if topic.public else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def contents(topics: Sequence[Topic] = TOPICS) -> dict[str, str]:
    """Every generated file: path below this package -> text."""
    texts = {f"{SCHEMAS}/{name}": _json(schema) for name, schema in schemas(topics).items()}
    return texts | {TOPICS_PAGE: topics_page(topics)}


def stale(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """What is missing, differs from what would be written, or belongs to nothing; one line each."""
    found = [
        f"{path} is {'stale' if (folder / path).exists() else 'missing'}"
        for path, text in wanted.items()
        if not (folder / path).exists() or (folder / path).read_text(encoding="utf-8") != text
    ]
    committed = [*folder.glob(f"{SCHEMAS}/hub.*"), *folder.glob(f"{SCHEMAS}/artifacts/*")]
    paths = [path.relative_to(folder).as_posix() for path in committed]
    return found + [f"{path} belongs to no topic or artifact" for path in sorted(paths) if path not in wanted]


def broken_contracts(released: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """What was released and is no longer kept; one line each."""
    found: list[str] = []
    for name, schema in released.items():
        if name not in present:
            found.append(f"{name}: removed")
            continue
        found += [f"{name}: {change}" for change in breaking_changes(schema, present[name])]
    return found


def released_schemas(folder: Path = FOLDER) -> dict[str, Any]:
    """The schemas that were released last."""
    released: dict[str, Any] = json.loads((folder / RELEASED).read_text(encoding="utf-8"))
    return released


def example_problems(folder: Path, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Topics without an example, examples without a topic, examples that are no message of their topic."""
    names = {f"{topic.name}.json": topic for topic in topics}
    present = {path.name: path for path in (folder / EXAMPLES).iterdir()}
    found = [f"{name} is missing" for name in sorted(names.keys() - present.keys())]
    found += [f"{name} belongs to no topic" for name in sorted(present.keys() - names.keys())]
    for name in sorted(names.keys() & present.keys()):
        if problem := _example_problem(names[name], present[name].read_bytes()):
            found.append(f"{name}: {problem}")
    return found


def _example_problem(topic: Topic, text: bytes) -> str | None:
    """Why a text is no example: it does not decode, or says something that the model does not know."""
    model: Any = topic.model
    try:
        given = msgspec.json.decode(text)
        if issubclass(model, BaseModel):
            understood = json.loads(model.model_validate_json(text).model_dump_json())
        else:
            understood = msgspec.to_builtins(msgspec.json.decode(text, type=model), str_keys=True)
    except ValueError as error:
        return f"does not validate: {error}"
    return None if _is_part_of(given, understood) else "holds members that the model does not know"


def _is_part_of(given: Any, understood: Any) -> bool:
    """Whether everything given came through. What has a default may be left out: older messages do not have it."""
    if isinstance(given, dict) and isinstance(understood, dict):
        return all(key in understood and _is_part_of(value, understood[key]) for key, value in given.items())
    if isinstance(given, list) and isinstance(understood, list | tuple):
        return len(given) <= len(understood) and all(map(_is_part_of, given, understood))
    return bool(given == understood)


def write(folder: Path = FOLDER) -> None:
    """Writes every generated file, and takes away those of topics that are gone."""
    wanted = contents()
    for path in [*folder.glob(f"{SCHEMAS}/hub.*"), *folder.glob(f"{SCHEMAS}/artifacts/*")]:
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def asyncapi_text(folder: Path = FOLDER, topics: Sequence[Topic] = TOPICS) -> str:
    """The AsyncAPI document with the examples of a folder."""
    return _json(asyncapi_document(folder / EXAMPLES, topics))


def is_asyncapi_fresh(text: str, path: Path = ASYNCAPI) -> bool:
    """Whether the committed document is this one."""
    return path.exists() and path.read_text(encoding="utf-8") == text


def release(folder: Path = FOLDER) -> None:
    """Makes the present schemas the released ones."""
    (folder / RELEASED).write_text(_json(schemas()), encoding="utf-8")


def problems(folder: Path = FOLDER) -> list[str]:
    """Everything `--check` complains about."""
    return [
        *stale(folder, contents()),
        *broken_contracts(released_schemas(folder), schemas()),
        *example_problems(folder),
        *([] if is_asyncapi_fresh(asyncapi_text(folder)) else [f"{ASYNCAPI.name} is stale"]),
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.messages.generate", description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="write nothing; fail where something is stale or broken")
    choice.add_argument("--release", action="store_true", help="make the present schemas the released ones")
    options = parser.parse_args(arguments)
    if options.check:
        found = problems()
        for line in found:
            sys.stderr.write(f"{line}\n")
        if found:
            sys.stderr.write("Run `python -m shared.messages.generate` and commit what it writes.\n")
        return 1 if found else 0
    write()
    ASYNCAPI.write_text(asyncapi_text(), encoding="utf-8")
    if options.release:
        release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
