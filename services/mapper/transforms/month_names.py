"""Month and weekday words in English, French and Spanish, folded (lower case, no accents), as data."""

from __future__ import annotations

_MONTH_WORDS = (
    "jan january janv janvier ene enero",
    "feb february fev fevr fevrier febrero",
    "mar march mars marzo",
    "apr april avr avril abr abril",
    "may mai mayo",
    "jun june juin junio",
    "jul july juil juillet julio",
    "aug august aout ago agosto",
    "sep sept september septembre septiembre setiembre set",
    "oct october octobre octubre",
    "nov november novembre noviembre",
    "dec december decembre dic diciembre",
)

MONTHS = {word: number for number, words in enumerate(_MONTH_WORDS, 1) for word in words.split()}

_WEEKDAY_WORDS = (
    "mon monday lun lundi lunes",
    "tue tues tuesday mar mardi martes",
    "wed weds wednesday mer mercredi mie miercoles",
    "thu thur thurs thursday jeu jeudi jue jueves",
    "fri friday ven vendredi vie viernes",
    "sat saturday sam samedi sab sabado",
    "sun sunday dim dimanche dom domingo",
)

WEEKDAYS = frozenset(word for words in _WEEKDAY_WORDS for word in words.split())

NOISE_WORDS = frozenset({"de", "del", "le", "el", "of", "the"})
