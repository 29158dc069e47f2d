"""Words of which the benchmark's customers, jobs and invoices are made; all names are invented."""

from __future__ import annotations


def separate(text: str, mark: str | None = None) -> list[str]:
    """The parts of a list written over several lines, with white space or with `mark` between them."""
    return [part.strip() for part in text.split(mark)]


FIRST_NAMES = separate(
    """
    Aaron Abigail Adam Adrian Alana Albert Alice Amanda Amelia Andrea Angela Anita Anton Arthur Audrey Barbara
    Benjamin Bernard Bianca Brandon Bridget Bruno Calvin Camille Carla Carmen Caroline Cecilia Charles Chloe Clara
    Claudia Colin Connor Cynthia Damian Daniel Daphne David Deborah Denise Derek Diana Dominic Dorothy Edgar Edith
    Edward Eleanor Elias Elizabeth Emil Emma Erica Ernest Esther Ethan Evelyn Fabian Felix Fiona Frances Gabriel
    Gavin George Gloria Gordon Grace Gregory Hannah Harold Harriet Hector Helen Henry Hugo Ingrid Irene Isaac Isabel
    Jacob Janet Jeremy Joanna Jonas Joseph Judith Julian Karen Keith Kevin Laura Leonard Lillian Lorenzo Lucas Lydia
    Malcolm Marcus Margaret Martin Matilda Maurice Miriam Monica Nadia Naomi Natalie Nicholas Nina Norman Oliver
    Oscar Pamela Patrick Paula Philip Priscilla
    """
)

LAST_STARTS = separate(
    """
    Ash Barn Beck Birch Black Bram Bridge Brook Carl Chest Clay Cold Copper Crest Dale Deer Dray East Edge Elm Fair
    Fall Farn Fern Ferry Flint Frost Glen Gold Grant Green Hal Hart Hazel Heath Hill Holm Horn Kings Lake Lang Lind
    Lock Lough Maple Marsh Mead Mill Moor North Oak Orch Peb Pem Pine Quarn Raven Red Rock Rush Sand Shel Silver
    South Stan Stone Storm Strat Sum Thorn Wal Wake War Way West Whit Wild Wind Wood York
    """
)
LAST_ENDS = separate(
    """
    bourne brook bury combe croft dale den field ford gate ham hurst land ley man mere mont more ridge son stead ton
    vale ville wall ward wick win wood worth
    """
)

STRANGER_LAST_NAMES = separate(
    """
    Abernathy Castellano Dombrowski Eisenhart Galbraith Hollingsworth Ivanovich Jankowski Kirkpatrick Lindqvist
    Montgomery Nakamura Oyelaran Pemberton Quintero Rasmussen Schumacher Thistlewood Villanueva Xenakis
    """
)
"""Of people who are in no customer file; none is near any of the last names above."""

COMPANY_KINDS = separate(
    """
    Apartments|Bakery|Books|Brewing Co|Church|Dental Group|Diner|Family Trust|Fitness|Hotel LLC|Holdings|
    Law Offices|Montessori School|Pharmacy Inc|Properties LLC|Realty|Senior Living|Storage|Veterinary Clinic|
    Vineyards
    """,
    "|",
)

STREET_KINDS = ("St", "Ave", "Rd", "Ln", "Dr", "Ct", "Blvd", "Way")

# City, state, first three digits of the postal codes.
CITIES = (
    ("Austin", "TX", "787"),
    ("Denver", "CO", "802"),
    ("Boston", "MA", "021"),
    ("Columbus", "OH", "432"),
    ("Phoenix", "AZ", "850"),
    ("Portland", "OR", "972"),
    ("Nashville", "TN", "372"),
    ("Kansas City", "MO", "641"),
    ("Charlotte", "NC", "282"),
    ("Sacramento", "CA", "958"),
    ("Milwaukee", "WI", "532"),
    ("Richmond", "VA", "232"),
    ("Tampa", "FL", "336"),
    ("Boise", "ID", "837"),
    ("Omaha", "NE", "681"),
    ("Hartford", "CT", "061"),
)
AREA_CODES = separate(
    """
    201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252
    253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320
    321 330 331 334 336 337 352 360 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 425 432
    434 435 440 443 469 478 479 480 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520 530 540 541 559
    561 562 563 570 571 573 574 580 585 586 601 602 603 605 606 607 608 609 610 612 614 615 616 617 618 619
    """
)

TITLES = separate(
    """
    AC tune-up|Annual inspection|Blower motor swap|Boiler service|Burst pipe|Ceiling fan install|Compressor check|
    Condenser cleaning|Disposal replacement|Drain cleaning|Duct sealing|EV charger install|Faucet repair|
    Filter change|Furnace inspection|Garage heater|Gas line test|Generator service|Gutter cleaning|
    Heat pump install|Hose bib repair|Humidifier pad|Leak detection|Lighting retrofit|Mini split install|
    Outlet repair|Panel upgrade|Pilot relight|Pressure regulator|Radiator bleed|Refrigerant recharge|Sewer camera|
    Shower valve|Smoke detectors|Sump pump check|Surge protector|Thermostat install|Toilet rebuild|
    Water heater flush|Water softener
    """,
    "|",
)
DETAILS = separate(
    """
    customer reports noise at start|access through the side gate|dog in the yard|call ahead by thirty minutes|
    replace parts as needed|part ordered and on the truck|second visit after the first repair|tenant lets us in|
    check the attic unit as well|photos requested|ladder needed|permit on file
    """,
    "|",
)
JOB_TYPES = ("Service", "Install", "Maintenance", "Emergency", "Inspection")
BUSINESS_UNITS = ("HVAC", "Plumbing", "Electrical")
LEAD_SOURCES = ("Google", "Referral", "Website", "Yard sign", "Radio", "Repeat customer")
TERMS = ("Due on receipt", "Net 15", "Net 30")
TAGS = ("", "", "VIP", "Annual plan", "Landlord", "VIP; Landlord")
NOTES = ("", "", "", "Gate code on file", "Prefers mornings", "Invoice by mail", "Two units on the roof")
JOB_STATUSES = ("Completed", "Completed", "Completed", "Scheduled", "In Progress", "On Hold", "Canceled")
PRIORITIES = ("Normal", "Normal", "Low", "High", "Urgent")
INVOICE_STATUSES = ("Paid", "Paid", "Paid", "Sent", "Overdue", "Draft")
PAY_METHODS = ("Check", "Credit card", "Cash", "Bank transfer")
