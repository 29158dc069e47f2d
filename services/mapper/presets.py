"""Presets: what the columns of known exports and APIs mean, as evidence. The data lies in `preset_data`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, get_args

import yaml

from services.mapper.hints import Hint
from shared.catalog.identity import fold
from shared.catalog.lexicon import is_custom_field
from shared.catalog.model import Catalog, load_catalog
from shared.errors import ConfigurationError

Tag = Literal["V", "C", "I", "K"]
MoneyUnit = Literal["major", "minor"]

STRENGTHS: Mapping[str, float] = {"V": 0.95, "C": 0.92, "I": 0.8, "K": 0.6}
"""How far each kind of evidence is trusted; a guess alone (K) does not reach what a telling header reaches."""
TAG_WORDS: Mapping[str, str] = {
    "V": "the vendor documents it",
    "C": "seen in such files",
    "I": "inferred from such files",
    "K": "assumed, not confirmed",
}
UNNAMED_SHARE_MIN = 0.75
UNNAMED_HITS_MIN = 4
UNNAMED_FACTOR = 0.9
"""Where nothing names the platform, nearly all headers must be those of one layout, and are trusted a little less."""
COMMON_PLATFORMS_MIN = 3
"""Headers of so many platforms, such as "Name" and "City", are nobody's: they do not tell where a file comes from."""
NOTHING_SHARE_MIN = 0.6
"""That a column feeds nothing depends on the columns beside it: so much of a layout must be there before it is said."""
CENTS_SHARE_MIN = 0.5
CENTS_HITS_MIN = 4
CENTS_UNNAMED_HITS_MIN = 8
"""Headers of an interface that writes cents, spelled as they are there and beside ids such as `job_32e3ac9c`: columns
are called alike in many programs, and most of those, and lists made by hand, count in whole dollars. More of them where
nothing names the platform, or where there are no ids."""
_PREFIXED_ID = re.compile(r"[a-z]+_[0-9A-Za-z]+")

_DROPPED = re.compile(r"[^a-z0-9#$%]+")


@dataclass(frozen=True)
class Layout:
    """One known header row. `columns`: header in folded form -> (field or None, evidence tag)."""

    platform: str
    label: str
    version: int
    name: str
    entity: str
    origin: str
    source: str
    columns: Mapping[str, tuple[str | None, str]]
    money_unit: MoneyUnit
    """`minor`: whole numbers of money are cents there."""
    spelled: frozenset[str]
    """The headers as they are written there: of layouts that fit equally the one that is spelled so."""


@lru_cache(maxsize=16_384)
def header_key(header: str) -> str:
    """The form in which headers of presets and remembered files are compared: 'Customer_Name' = 'customer name'."""
    return _DROPPED.sub("", fold(header))


def preset_hints(
    headers: Sequence[str],
    entity: str,
    named: Collection[str],
    *,
    suspected: Collection[str] = (),
    beside: Collection[str] = (),
    catalog: Catalog | None = None,
) -> list[Hint]:
    """What presets say about the columns of a file taken for `entity`.

    `named`: platforms that the header row or the source label names. `suspected`: those that only the file's name
    speaks of; they count where most headers are theirs. `beside`: those of other files of the session; only a layout
    that has most of the headers counts.
    """
    known = catalog or load_catalog()
    hints: dict[int, Hint] = {}
    for spoken in _layouts_for(headers, entity, named, suspected, beside):
        layout = spoken.layout
        for column, header in enumerate(headers):
            found = layout.columns.get(header_key(header)) if header else None
            if found is None or column in hints:
                continue
            field, tag = found
            if field is None and not spoken.says_nothing:
                continue
            label = known[entity].fields[field].label.lower() if field else "no field"
            hints[column] = Hint(
                entity=entity,
                column=column,
                field=field,
                strength=round(STRENGTHS[tag] * spoken.factor, 3),
                reason=f"The {layout.label} preset ({layout.name}, version {layout.version}) takes “{header}” for "
                f"{label}: {TAG_WORDS[tag]}.",
                origin="preset",
            )
    return list(hints.values())


def layout_in_cents(
    headers: Sequence[str], entity: str, platforms: Collection[str], ids: Sequence[str]
) -> Layout | None:
    """The layout by which whole numbers of money in such a file are cents; None where none says so for sure.

    Wrong either way is wrong by a factor of a hundred: the layout must fit better than any that counts otherwise.
    `platforms`: those that the file itself or the source label names. `ids`: values of the column that is called id.
    """
    fitting, keys = _fitting(headers, entity)
    if not fitting or fitting[0][0].money_unit == "major":
        return None
    layout, hits = fitting[0]
    rivals = [other for rival, other in fitting if rival.money_unit != layout.money_unit]
    has_its_ids = bool(ids) and all(map(_PREFIXED_ID.fullmatch, ids))
    is_named = layout.platform in platforms
    if not has_its_ids and (ids or not is_named):
        return None
    needed = CENTS_HITS_MIN if is_named and has_its_ids else CENTS_UNNAMED_HITS_MIN
    is_spelled = len(layout.spelled.intersection(headers)) >= needed
    return layout if is_spelled and hits >= CENTS_SHARE_MIN * keys and hits > max(rivals, default=0) else None


def platforms_named_in(*texts: str | None) -> set[str]:
    """Platforms of which a file name or a source label speaks: 'HousecallPro jobs.csv' -> {'housecall_pro'}."""
    keys = [header_key(text) for text in texts if text]
    return {
        platform
        for platform in {layout.platform for layout in load_presets()}
        if any(header_key(platform) in key for key in keys)
    }


@dataclass(frozen=True)
class _Spoken:
    """A layout that speaks for a header row, and how far it is trusted."""

    layout: Layout
    factor: float
    says_nothing: bool
    """It may also say which columns feed nothing."""


def _fitting(headers: Sequence[str], entity: str) -> tuple[list[tuple[Layout, int]], int]:
    """The layouts of the entity type with how many of the headers they know, best first; and how many there are."""
    keys = {header_key(header) for header in headers if header and not is_custom_field(header)}
    fitting = [(layout, len(keys & layout.columns.keys())) for layout in load_presets() if layout.entity == entity]
    fitting.sort(key=lambda found: (-found[1], -len(found[0].spelled.intersection(headers))))
    return fitting, len(keys)


def _layouts_for(
    headers: Sequence[str],
    entity: str,
    named: Collection[str],
    suspected: Collection[str],
    beside: Collection[str],
) -> Iterator[_Spoken]:
    """The layouts that speak for this header row, best first."""
    fitting, keys = _fitting(headers, entity)
    most = UNNAMED_SHARE_MIN * keys
    found = [(layout, hits) for layout, hits in fitting if hits and layout.platform in named]
    if found:
        yield from (_Spoken(layout, 1.0, hits >= NOTHING_SHARE_MIN * keys) for layout, hits in found)
        return
    found = [(layout, hits) for layout, hits in fitting if hits and layout.platform in suspected]
    if len({key for layout, _ in found for key in map(header_key, headers) if key in layout.columns}) < most:
        found = [(layout, hits) for layout, hits in fitting if layout.platform in beside and hits >= most]
    if found:
        yield from (_Spoken(layout, UNNAMED_FACTOR, hits >= most) for layout, hits in found)
        return
    for layout, hits in fitting[:1]:
        own = layout.columns.keys() - _common_headers()
        if hits >= UNNAMED_HITS_MIN and hits >= most and any(header_key(header) in own for header in headers):
            yield _Spoken(layout, UNNAMED_FACTOR, says_nothing=False)


@lru_cache(maxsize=1)
def _common_headers() -> frozenset[str]:
    platforms: dict[str, set[str]] = {}
    for layout in load_presets():
        for key in layout.columns:
            platforms.setdefault(key, set()).add(layout.platform)
    return frozenset(key for key, names in platforms.items() if len(names) >= COMMON_PLATFORMS_MIN)


@lru_cache(maxsize=1)
def load_presets() -> tuple[Layout, ...]:
    """All layouts of all platforms. ConfigurationError names what is wrong in the data."""
    folder = resources.files("services.mapper").joinpath("preset_data")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(
        layout
        for file in files
        for layout in read_presets(file.name, yaml.load(file.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506
    )


def read_presets(name: str, raw: Mapping[str, Any], catalog: Catalog | None = None) -> list[Layout]:
    """The layouts of one file of presets; ConfigurationError for a name the catalogue does not have."""
    known = catalog or load_catalog()
    layouts = []
    for part in raw["layouts"]:
        columns: dict[str, tuple[str | None, str]] = {}
        for tag, fields in part["columns"].items():
            for header, field in fields.items():
                if tag not in STRENGTHS or (field is not None and field not in known[part["entity"]].fields):
                    raise ConfigurationError(
                        f"The preset {name}, {part['name']}, is wrong at {header!r}: {tag} {field!r}.",
                        next_step="Use V, C, I or K and a field of the catalogue, or null.",
                    )
                columns[header_key(str(header))] = (field, tag)
        layouts.append(
            Layout(
                platform=raw["platform"],
                label=raw["label"],
                version=int(raw["version"]),
                name=part["name"],
                entity=part["entity"],
                origin=part["origin"],
                source=part["source"],
                columns=columns,
                money_unit=_money_unit(name, part),
                spelled=frozenset(header for fields in part["columns"].values() for header in fields),
            )
        )
    return layouts


def _money_unit(name: str, part: Mapping[str, Any]) -> MoneyUnit:
    unit: MoneyUnit = part.get("money_unit", "major")
    if unit not in get_args(MoneyUnit):
        raise ConfigurationError(
            f"The preset {name}, {part['name']}, is wrong: money_unit {unit!r}.", next_step="Use major or minor."
        )
    return unit
