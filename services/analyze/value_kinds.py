"""What one value may be: patterns of e-mails, phones, dates, money ... and the vocabularies of the lexicon."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.catalog.identity import fold
from shared.catalog.lexicon import load_lexicon

TEXT_CHARACTERS_MAX = 200
"""Longer values are prose; vocabularies look at no more."""

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[A-Za-z]{2,}(?:\s*[,;]\s*[^@\s,;<>]+@[^@\s,;<>]+\.[A-Za-z]{2,})*$")
_URL = re.compile(
    r"(?:https?://|www\.)\S+$|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|biz|us|ca|co)(?:/\S*)?$", re.I
)
_PHONE = re.compile(
    r"(?:\+\d[\d\s().\-]{7,17}|1?[\s.\-]?\(?\d{3}\)?[\s.\-/]\s?\d{3}[\s.\-]?\d{4})(?:\s*(?:x|ext\.?|#)\s*\d+)?"
    r"(?:\s*[;,/].*)?$",
    re.I,
)
_PHONE_DIGITS = re.compile(r"1?[2-9]\d{2}[2-9]\d{6}$")
_NATIONAL_PHONE = re.compile(r"\(?0\d{1,4}\)?(?:[\s.\-/]{1,3}\d{2,8}){1,4}$")
"""As dialled within a country outside North America: groups that begin with 0, 9 to 11 digits."""
_SOCIAL_SECURITY = re.compile(r"\d{3}-\d{2}-\d{4}$")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic|janv|fevr|avr|juin|juil|aout)[a-z]*\.?"
_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})"
    rf"|(?:[a-z]{{3,9}},?\s+)?{_MONTH}\s+\d{{1,2}},?\s+\d{{4}}|\d{{1,2}}[\s-](?:de\s+)?{_MONTH}[\s-](?:de\s+)?(?:\d{{4}}|\d{{2}})"
    r"|(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
    r"(?P<time>[T\s,]+(?:at\s+)?\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[ap]\.?m\.?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?)?$",
    re.I,
)
_NUMBER = re.compile(r"[-+]?\d+$")
_DECIMAL = re.compile(r"\(?[-+]?(?:\d{1,3}(?:[,.\s]\d{3})+|\d+)?(?:[.,]\d+)?\)?-?$")
_CURRENCY = re.compile(r"(?:US|CA|C|A)?[$€£]|\b(?:usd|cad|eur|gbp|mxn|aud)\b", re.I)
_TWO_DIGITS = re.compile(r"\d[.,]\d{2}\)?$")
_POSTAL = re.compile(r"\d{5}(?:-\d{4})?$|[A-Z]\d[A-Z]\s?\d[A-Z]\d$", re.I)
_STREET = re.compile(r"(?:#\s*)?\d+[A-Za-z]?(?:-\d+)?,?\s+(?:[NSEW]\.?\s+)?[^\W\d].{2,}$")
_STREET_WORD = re.compile(
    r"\b(?:st|street|ave|avenue|av|rd|road|dr|drive|ln|lane|ct|court|blvd|boulevard|way|pl|place|cir|circle|ter|terrace"
    r"|hwy|highway|pkwy|parkway|trl|trail|loop|sq|square|county road|route|rue|chemin|calle|avenida|calz|row|run|pike"
    r"|cove|path|po box|camino|boul|rang|montee|prolongacion|privada)\b\.?",
    re.I,
)
_SPANISH_STREET = re.compile(
    r"(?:calle|av\.?|avenida|blvd\.?|calz\.?|rue|privada|camino|po box|p\.o\. box)\s.*\d", re.I
)
_ADDRESS_TAIL = re.compile(r",.*\b(?:[A-Z]{2}|[A-Z][a-z]+)\.?,?\s+(?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z]\s?\d[A-Z]\d)\b|,.*,")
_PERSON = re.compile(r"[^\W\d_][\w'’.\-]*(?:,?\s+(?:[^\W\d_]\.?|(?:de|la|del|van|von|der)|[^\W\d_][\w'’.\-]+)){1,3}$")
_ID = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9._/\-#]*$|[0-9a-f]{24,32}$|[0-9a-f-]{36}$", re.I)
_BOOLEAN = frozenset({"true", "false", "yes", "no", "y", "n", "t", "f", "si", "sí", "oui", "non", "x", "on", "off"})
_LEGAL = frozenset({"llc", "inc", "corp", "ltd", "co", "company"})
_NOT_WORD = re.compile(r"[^a-z0-9 ]+")


@lru_cache(maxsize=65536)
def kinds_of(value: str) -> tuple[str, ...]:
    """Every kind the value may be: column types and vocabulary names; nothing for a value that tells nothing."""
    kinds = list(_pattern_kinds(value))
    kinds.extend(_word_kinds(value[:TEXT_CHARACTERS_MAX], bool(kinds)))
    return tuple(kinds)


def _pattern_kinds(value: str) -> list[str]:
    if "@" in value and _EMAIL.match(value):
        return ["email"]
    if value[0] in "{[" and value[-1] in "}]":
        return ["json"]
    if any(c.isdigit() for c in value):
        return _digit_kinds(value)
    if value.lower() in _BOOLEAN:
        return ["boolean"]
    if "." in value and _URL.match(value):
        return ["url"]
    return []


def _digit_kinds(value: str) -> list[str]:
    if (match := _DATE.match(fold(value))) is not None:
        compact = _NUMBER.match(value) is not None
        return ["datetime" if match["time"] else "date", *(["integer"] if compact else [])]
    if _PHONE_DIGITS.match(value):
        return ["phone", "integer", "id"]
    if _PHONE.match(value):
        return ["phone"]
    if _NUMBER.match(value):
        return ["integer", "digit", "id", *(["postal_code"] if _POSTAL.match(value) else [])]
    if _POSTAL.match(value):
        return ["postal_code"]
    if _is_national_phone(value):
        return ["phone", "id"]
    if value.endswith("%"):
        return ["percent"]
    bare = _CURRENCY.sub("", value).strip()
    if bare and _DECIMAL.match(bare):
        is_money = bare != value or _TWO_DIGITS.search(value) is not None
        return ["decimal", *(["money"] if is_money else []), *(["currency"] if bare != value else [])]
    if _URL.match(value) and not value[0].isdigit():
        return ["url"]
    if _STREET.match(value) and (_STREET_WORD.search(value) or _SPANISH_STREET.match(value)):
        return ["address" if _ADDRESS_TAIL.search(value) else "street"]
    if _SPANISH_STREET.match(value):
        return ["street"]
    return ["id"] if _ID.match(value) else []


def _is_national_phone(value: str) -> bool:
    digits = sum(c.isdigit() for c in value)
    return 9 <= digits <= 11 and _NATIONAL_PHONE.match(value) is not None and not _SOCIAL_SECURITY.match(value)


def _word_kinds(value: str, has_pattern: bool) -> list[str]:
    folded = fold(value)
    plain = _NOT_WORD.sub(" ", folded)
    words = plain.split()
    joined = " ".join(words)
    kinds = ["longtext"] if len(value) > 60 or "\n" in value else []
    padded = f" {joined} "
    for name, vocabulary in load_lexicon().vocabularies.items():
        if vocabulary.whole:
            hit = joined in vocabulary.words or folded in vocabulary.words
        elif name == "given_name":
            hit = bool(words) and len(words) <= 4 and (words[0] in vocabulary.words or words[-1] in vocabulary.words)
        else:
            hit = any(word in vocabulary.words for word in words) or _has_phrase(padded, name)
        if hit:
            kinds.append(name)
    if "company" in kinds and "task" in kinds and not _LEGAL & set(words):
        kinds.remove("company")  # "For services rendered: drain cleaning" is work, whatever company words it holds
    if not has_pattern and len(words) <= 4 and _PERSON.match(value) and not set(kinds) & {"company", "task", "item"}:
        kinds.append("person")
    if not has_pattern and len(words) == 1:
        kinds.append("word")
    return kinds


@lru_cache(maxsize=64)
def _phrases(vocabulary: str) -> re.Pattern[str] | None:
    several = [
        re.escape(" ".join(re.split(r"[^a-z0-9]+", w)))
        for w in load_lexicon().vocabularies[vocabulary].words
        if not w.isalnum()
    ]
    return re.compile(r" (?:" + "|".join(sorted(several, key=len, reverse=True)) + r")(?= |s )") if several else None


def _has_phrase(padded: str, vocabulary: str) -> bool:
    pattern = _phrases(vocabulary)
    return pattern is not None and pattern.search(padded) is not None
