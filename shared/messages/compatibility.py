"""Whether a message's new JSON schema may take the place of the one that others rely on: it may only grow.

Additive is what neither an old reader nor an old message notices: a new property that may be left out, a new item at
the end of an array-like message, better descriptions and defaults. Everything else is a new major version, a new topic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

# What is said about a value and does not change which values are valid.
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$schema", "$id", "$defs", "$comment"})
_STRUCTURE = frozenset({"properties", "required", "items", "prefixItems", "minItems", "additionalProperties"})


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What in `new` would break readers or messages of `old`, one line each with its place; none where it only grew."""
    return list(_compare(old, new, old, new, "message", frozenset()))


def _compare(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str, seen: frozenset[str]
) -> Iterator[str]:
    if (reference := old.get("$ref")) is not None:
        if reference in seen:  # a model inside itself: its own comparison is already under way
            return
        seen |= {reference}
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if _own(old) != _own(new):
        yield f"{place}: the type changed from {_text(_own(old))} to {_text(_own(new))}"
        return
    yield from _compare_objects(old, new, old_root, new_root, place, seen)
    yield from _compare_arrays(old, new, old_root, new_root, place, seen)
    for i, (before, after) in enumerate(zip(old.get("anyOf", ()), new.get("anyOf", ()), strict=False)):
        yield from _compare(before, after, old_root, new_root, f"{place}|{i}", seen)


def _compare_objects(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str, seen: frozenset[str]
) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        if name in after:
            yield from _compare(schema, after[name], old_root, new_root, f"{place}.{name}", seen)
        else:
            yield f"{place}.{name}: removed"
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(required_after - required_before):
        yield f"{place}.{name}: required now; messages without it exist"
    for name in sorted((required_before - required_after) & set(after)):
        yield f"{place}.{name}: no longer required; readers rely on it"
    yield from _compare_values(old, new, old_root, new_root, "additionalProperties", f"{place}.*", seen)


def _compare_arrays(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str, seen: frozenset[str]
) -> Iterator[str]:
    before, after = old.get("prefixItems", ()), new.get("prefixItems", ())
    if len(after) < len(before):
        yield f"{place}: {len(before) - len(after)} items removed at the end"
    for i, (one, other) in enumerate(zip(before, after, strict=False)):
        yield from _compare(one, other, old_root, new_root, f"{place}[{i}]", seen)
    if new.get("minItems", 0) != old.get("minItems", 0):
        yield f"{place}: at least {new.get('minItems', 0)} items instead of {old.get('minItems', 0)}"
    yield from _compare_values(old, new, old_root, new_root, "items", f"{place}[]", seen)


def _compare_values(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, keyword: str, place: str, seen: frozenset[str]
) -> Iterator[str]:
    """`items` and `additionalProperties`: a schema, a truth value, or nothing."""
    before, after = old.get(keyword), new.get(keyword)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _compare(before, after, old_root, new_root, place, seen)
    elif before != after:
        yield f"{place}: the type changed from {_text(before)} to {_text(after)}"


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema a `$ref` of the same document points to, until there is none."""
    while (reference := schema.get("$ref")) is not None:
        schema = root["$defs"][str(reference).removeprefix("#/$defs/")]
    return schema


def _own(schema: Schema) -> dict[str, Any]:
    """What the schema itself demands, without annotations and without what is compared piece by piece."""
    own = {key: value for key, value in schema.items() if key not in _ANNOTATIONS | _STRUCTURE}
    if "anyOf" in own:
        own["anyOf"] = len(own["anyOf"])
    if isinstance(own.get("enum"), list):
        own["enum"] = sorted(own["enum"], key=str)
    return own


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
