"""Why a column is proposed for a field, in words a business owner understands: the two or three best reasons."""

from __future__ import annotations

from collections.abc import Sequence

from services.mapper.candidates import Candidate
from services.mapper.hints import Hint
from services.mapper.kind_words import in_words
from shared.catalog.model import Field
from shared.messages.analysis import ColumnProfile

REASONS_MAX = 3
SEEN_MIN = 0.5

# What several columns of a row together tell, by the kind under which the profile keeps it.
_TOGETHER = {
    "is_sum": "It is the sum of two other columns.",
    "greater_part": "With another column it adds up to a third.",
    "smaller_part": "With another column it adds up to a third.",
    "of_document": "It is the same in all rows of one number.",
    "in_email": "The e-mail addresses are made of these names.",
    "has_parts": "It is put together from other columns.",
    "front_part": "It is the first part of a full name beside it.",
    "back_part": "It is the last part of a full name beside it.",
    "after_street": "It stands between a street and a state or postal code.",
}
_NUMBERS = frozenset({"integer", "decimal", "postal_code"})
_FOR = {
    "is_sum": {"total", "balance"},
    "greater_part": {"subtotal", "total", "amount_paid", "balance"},
    "smaller_part": {"tax", "discount", "amount_paid", "balance"},
    "of_document": {"total", "subtotal", "tax", "balance"},
    "in_email": {"name", "first_name", "last_name"},
    "has_parts": {"name", "street"},
    "front_part": {"first_name", "last_name"},
    "back_part": {"first_name", "last_name"},
    "after_street": {"city"},
}


def reasons_for(
    candidate: Candidate, field: Field, profile: ColumnProfile, told: Hint | None, notes: Sequence[str] = ()
) -> list[str]:
    """What was known before first, then the header, the other files, the other columns and the values.

    `notes`, on how the values are read, are always among them, at the end.
    """
    basis = candidate.basis
    label = field.label.lower()
    values = in_words(profile.type)
    reasons = [told.reason] if told else []
    if basis.header >= 0.9:
        reasons.append(f"“{profile.header}” is a usual header for {label}.")
    elif basis.header >= 0.4:
        reasons.append(f"“{profile.header}” resembles usual headers for {label}.")
    if (relation := candidate.relation) is not None:
        reasons.append(
            f"{relation.share:.0%} of its values are in the {relation.parent_entity} of {relation.parent_file}."
        )
    reasons.extend(
        text
        for kind, text in _TOGETHER.items()
        if profile.kinds.get(kind, 0.0) >= SEEN_MIN and field.name in _FOR[kind]
    )
    if profile.type == "empty":
        reasons.append("The column is empty, so only its header speaks.")
    elif basis.telling >= 0.4:
        reasons.append(f"Its values, {values}, speak for {label}.")
    elif basis.fit >= 0.9 and not (field.ref and candidate.relation is None and profile.type in _NUMBERS):
        # Numbers fit any reference; that they are anybody's ids only the other files could say.
        reasons.append(f"Its values, {values}, fit.")
    elif basis.fit < 0.5:
        reasons.append(f"Its values, {values}, are unusual for it.")
    if not reasons:
        reasons.append("Of the fields that are left, the columns around it make this one the likeliest.")
    return [*reasons[: max(1, REASONS_MAX - len(notes))], *notes]
