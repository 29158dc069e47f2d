"""Typed converters of source columns, the decisions they need per column, and the factory that picks one."""

from __future__ import annotations

from services.mapper.transforms.bulk_columns import (
    BulkColumn,
    DateColumn,
    DatetimeColumn,
    EmailColumn,
    MoneyColumn,
    PhoneColumn,
)
from services.mapper.transforms.cells import Cell, Column, Converted, Cut, MemoColumn, Parser, TextColumn
from services.mapper.transforms.dates import date_parser, decide_excel_serials, is_month_first
from services.mapper.transforms.enums import boolean_parser, enum_parser, fold_value, known_values, propose_values
from services.mapper.transforms.numbers import (
    decimal_parser,
    default_decimal_mark,
    integer_parser,
    is_in_hours,
    money_parser,
)
from services.mapper.transforms.phones import phone_parser
from services.mapper.transforms.texts import parse_email, parse_json, parse_url, tags_parser
from shared.catalog.model import Field, FieldType
from shared.messages.mapping import Options

__all__ = [
    "Cell",
    "Column",
    "Converted",
    "Cut",
    "MemoColumn",
    "TextColumn",
    "decide_excel_serials",
    "decimal_parser",
    "default_decimal_mark",
    "fold_value",
    "is_in_hours",
    "is_month_first",
    "known_values",
    "make_column",
    "make_parser",
    "propose_values",
]


def make_parser(entity: str, field: Field, options: Options, region: str) -> Parser:
    """The parser of one field that is neither text, enum nor reference."""
    mark = options.decimal_mark or default_decimal_mark(region)
    match field.type:
        case FieldType.EMAIL:
            return parse_email
        case FieldType.URL:
            return parse_url
        case FieldType.JSON:
            return parse_json
        case FieldType.PHONE:
            return phone_parser(region)
        case FieldType.TAGS:
            return tags_parser(options.split)
        case FieldType.BOOLEAN:
            return boolean_parser(field.name, invert=options.invert)
        case FieldType.MONEY:
            return money_parser(mark=mark, unit=options.money_unit)
        case FieldType.DECIMAL:
            return decimal_parser(mark=mark, unit=options.time_unit)
        case FieldType.INTEGER:
            return integer_parser(mark=mark)
        case FieldType.DATE | FieldType.DATETIME:
            return date_parser(
                order=options.date_order,
                region=region,
                with_time=field.type is FieldType.DATETIME,
                excel_serials=options.excel_serials,
            )
    raise TypeError(f"{entity}.{field.name}: {field.type} has no parser")


def make_column(entity: str, field: Field, options: Options, region: str) -> Column:
    """The converter for a field that is no reference, with the column's options applied."""
    cut = Cut(options.part, options.separator) if options.part and options.separator else None
    if field.type in (FieldType.TEXT, FieldType.LONGTEXT):
        return TextColumn(field.name, default=options.default, cut=cut)
    if field.type is FieldType.ENUM:
        parse, empty_forms = enum_parser(entity, field.name, options.values)
        return MemoColumn(field.name, parse, default=options.default, cut=cut, empty_forms=empty_forms)
    parse = make_parser(entity, field, options, region)
    if cut is None and options.default is None and (bulk := _bulk_column(field.type, options, region)):
        return bulk(field.name, parse)
    return MemoColumn(field.name, parse, default=options.default, cut=cut)


def _bulk_column(kind: FieldType, options: Options, region: str) -> type[BulkColumn] | None:
    match kind:
        case FieldType.EMAIL:
            return EmailColumn
        case FieldType.PHONE if region in ("US", "CA"):
            return PhoneColumn
        case FieldType.MONEY if options.money_unit == "major":
            return MoneyColumn if (options.decimal_mark or default_decimal_mark(region)) == "." else None
        case FieldType.DATE:
            return DateColumn
        case FieldType.DATETIME:
            return DatetimeColumn
    return None
