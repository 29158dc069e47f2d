"""Problems in words a business owner understands: what is wrong, what became of the record, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from shared.catalog.model import EntityType, Field

VALUE_CHARS_MAX = 200
"""Of a cell's text only this much is shown; the whole text stays in the landed file."""

_WRONG = {
    "unreadable_phone": ("is not a phone number that exists", "for example (212) 555-0142 x12"),
    "unreadable_email": ("is not an e-mail address", "for example name@example.com"),
    "unreadable_url": ("is not a web address", "for example https://example.com"),
    "unreadable_date": ("is not a date that exists or can be read", "for example 2026-01-31"),
    "unreadable_amount": ("is not an amount of money", "for example 1234.56"),
    "ambiguous_amount": ("can be two amounts, depending on what the comma or point means", "for example 1234.00"),
    "too_precise_amount": ("has more digits than cents", "for example 12.35"),
    "percentage_not_amount": ("is a percentage, not an amount of money", "for example 12.50"),
    "unreadable_number": ("is not a number that fits here", "for example 12"),
    "ambiguous_number": ("can be two numbers, depending on what the comma means", "for example 1.5"),
    "unreadable_boolean": ("is neither yes nor no", "for example yes or no"),
    "unknown_value": ("is not one of the known values", ""),
}


def shown(text: str) -> str:
    """A cell's text cut to what a list of problems can show."""
    text = text.strip()
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}…"


def value_problem(code: str, field: Field, header: str, value: str, *, is_error: bool) -> str:
    """A cell that cannot be read as its field's type."""
    wrong, example = _WRONG[code]
    if code == "unknown_value":
        example = f"or map it to one of {', '.join(field.values)}"
    where = field.label if header in ("", field.label) else f"{field.label} (column {header})"
    outcome = (
        "The record was not imported."
        if is_error
        else "The record was imported without this value; the original text is kept beside it."
    )
    again = " and import the file again" if is_error else " if you need the value"
    return f'{where}: "{shown(value)}" {wrong}. {outcome} Correct the cell{again}, {example}.'


def key_problem(code: str, field: Field, value: str) -> str:
    """A cell that cannot be read and is all there is to tell this record from others."""
    wrong, example = _WRONG[code]
    return (
        f'{field.label}: "{shown(value)}" {wrong}, and nothing else identifies this record (it has no id). '
        f"The record was not imported. Correct the cell and import the file again, {example}."
    )


def missing_problem(entity: EntityType, group: Sequence[str], *, is_error: bool) -> str:
    """None of a group's fields has a value."""
    labels = [_inside_a_sentence(entity.fields[name].label) for name in group]
    lacking = f"no {labels[0]}" if len(labels) == 1 else f"no {', '.join(labels[:-1])} or {labels[-1]}"
    cells = "the cell" if len(labels) == 1 else "one of these cells"
    if is_error:
        return (
            f"The row has {lacking}. The record was not imported. "
            f"Fill in {cells} and import the file again: rows already imported will not be duplicated."
        )
    return f"The row has {lacking}. The record was imported all the same. Fill in {cells} if you know it."


def _inside_a_sentence(label: str) -> str:
    """'Last name' -> 'last name'; 'SKU or part number' stays."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]


def extra_cells_problem(extra: Sequence[str], columns: int) -> str:
    """A row that is longer than the header row."""
    more = shown(", ".join(filter(None, extra)))
    return (
        f'The row has more cells than the {columns} columns of the header row (beyond them: "{more}"), so its values '
        "may stand in the wrong columns. The record was not imported. Put quotes around the cell that holds a "
        "separator, or remove the extra cells, and import the file again."
    )


REPLACED_CHARACTERS = (
    "Some characters of this row are not valid in the file's encoding and were replaced by \ufffd. "
    "The record was imported. Save the file as UTF-8 and correct the marked letters if they matter."
)

OVERSIZED_RECORD = (
    "The row holds more than 1 MiB of text, often because a closing quote is missing. The record was not imported; "
    "its text stays in the uploaded file. Shorten or close the long cell and import the file again."
)


def given_up_problem(records: int, reason: str) -> str:
    """A whole batch that could not be mapped."""
    rows = "This row" if records == 1 else f"The {records:,} rows from this one on"
    return (
        f"{rows} could not be processed: {reason} Nothing of it was imported. "
        "Resume the session with its failed batches once the cause is removed."
    )
