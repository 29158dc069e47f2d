"""Customers, and jobs that name them as people do; who is meant is known.

Every error comes by itself and with others: a nickname, a typing error and a job's title may meet in one name.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from benchmarks import linking_words as words
from benchmarks.trio_table import phone
from benchmarks.trio_vocabulary import STREET_KINDS

NAMESAKE_SHARE = 0.19
FIRM_SHARE = 0.15
HOUSEHOLD_SHARE = 0.03
DOUBLE_SURNAME_SHARE, GENERATION_SHARE, PARTNERS_SHARE = 0.06, 0.015, 0.1
"""Of people, of people, and of firms: 'Ana Garcia Lopez', 'John Smith Jr', 'Baker & Hall Realty'."""
STRANGER_SHARE = 0.03
STRANGERS = {"relative": 0.2, "son": 0.1, "sister firm": 0.15, "namesake": 0.01}
"""What strangers are to a customer; the others are nothing to anybody. A namesake has facts of his own, the others
the customer's phone and street."""
SHARES = {"order": 0.2, "case": 0.1, "nickname": 0.15, "typo": 0.12, "suffix": 0.5, "job words": 0.15, "initial": 0.02}
"""Of the names of which it can happen: only some first names have short forms, only firms a legal form."""
TOLD = {"email": 0.45, "phone": 0.45, "street": 0.35}
WRONG_PHONE_SHARE, OTHER_STREET_SHARE = 0.03, 0.10
"""Half of the wrong phones are those of other customers."""
OTHER_JOB_TEXT_SHARE = 0.25
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Parents:
    """Columns of the customers; `shared` is the number of customers of the same name."""

    names: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    streets: list[str] = field(default_factory=list)
    firms: list[bool] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)


@dataclass
class Children:
    """Columns of the jobs. `parents`: place of the customer who is meant, -1 for a stranger. `kinds`: what was done
    to the name. `can_tell`: the name is one customer's alone, or a fact is told that only this namesake has."""

    names: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    streets: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    kinds: list[tuple[str, ...]] = field(default_factory=list)
    can_tell: list[bool] = field(default_factory=list)


_ENDINGS = sorted(filter(None, set(words.LEGAL_FORMS)), key=len, reverse=True)


def without_legal_form(name: str) -> str:
    """A firm's name alone."""
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), name)


def called(name: str) -> str:
    """What makes two customers namesakes: the words of their names, in any order, without case, accents, legal form."""
    letters = unicodedata.normalize("NFKD", without_legal_form(name).lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(sorted(plain.replace("'", "").split()))


class Generator:
    """Makes the same data for the same seed."""

    def __init__(self, customers: int, jobs: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._counter = 0
        # Some last names are a hundred times as frequent as others.
        self._weights = [1 / (rank + 20) for rank in range(len(words.LAST_NAMES))]
        self.parents = self._parents(customers)
        self._known = set(map(called, self.parents.names))
        self._facts = self._holders()
        self.children = self._children(jobs)

    # ---- customers --------------------------------------------------------------------------------------------

    def _parents(self, count: int) -> Parents:
        chance, made = self._random, Parents()
        own = self._own_names(count - round(count * NAMESAKE_SHARE / 2))
        copied = chance.sample(range(len(own)), count - len(own))
        names = own + [own[i] for i in copied]
        order = list(range(count))
        chance.shuffle(order)
        for i in order:
            name, is_firm = names[i]
            made.names.append(name)
            made.firms.append(is_firm)
            number = self._next()
            made.emails.append(f"user{number}@example.com" if chance.random() < 0.8 else "")
            made.phones.append(phone(number, 0) if chance.random() < 0.92 else "")
            made.streets.append(self._street())
        self._make_households(made)
        counts = Counter(map(called, made.names))
        made.shared = [counts[called(name)] for name in made.names]
        return made

    def _own_names(self, count: int) -> list[tuple[str, bool]]:
        chance = self._random
        found: dict[str, tuple[str, bool]] = {}
        lasts = chance.choices(words.LAST_NAMES, self._weights, k=4 * count)
        for last in lasts:
            is_firm = chance.random() < FIRM_SHARE
            if is_firm:
                between = " & " if chance.random() < PARTNERS_SHARE else " "
                two = f"{last}{between}{chance.choice(words.LAST_NAMES)}" if chance.random() < 0.7 else last
                name = f"{two} {chance.choice(words.FIRMS)}{chance.choice(words.LEGAL_FORMS)}"
            else:
                name = f"{chance.choice(words.FIRST_NAMES)} {last}"
                if chance.random() < DOUBLE_SURNAME_SHARE:
                    name = f"{name} {chance.choice(words.LAST_NAMES)}"
                if chance.random() < GENERATION_SHARE:
                    name = f"{name} {chance.choice(words.GENERATIONS)}"
            found.setdefault(called(name), (name, is_firm))
            if len(found) == count:
                return list(found.values())
        raise ValueError(f"there are not {count:,} different names")

    def _make_households(self, made: Parents) -> None:
        """Some people share phone and street with somebody of the same last name."""
        by_last: dict[str, int] = {}
        for i, name in enumerate(made.names):
            last = name.split()[-1]
            if made.firms[i] or self._random.random() > 3 * HOUSEHOLD_SHARE:
                continue
            other = by_last.setdefault(last, i)
            if made.names[other] != name:
                made.phones[i], made.streets[i] = made.phones[other], made.streets[other]

    def _street(self) -> str:
        chance = self._random
        return f"{chance.randint(1, 9900)} {chance.choice(words.LAST_NAMES)} {chance.choice(STREET_KINDS)}"

    def _next(self) -> int:
        self._counter += 1
        return self._counter

    def _holders(self) -> dict[tuple[str, str], int]:
        """(name, fact) -> how many customers of that name have it."""
        holders: dict[tuple[str, str], int] = {}
        made = self.parents
        for name, *facts in zip(made.names, made.emails, made.phones, made.streets, strict=True):
            for fact in filter(None, facts):
                key = (called(name), fact)
                holders[key] = holders.get(key, 0) + 1
        return holders

    # ---- jobs -------------------------------------------------------------------------------------------------

    def _children(self, count: int) -> Children:
        chance, made = self._random, Children()
        for _ in range(count):
            is_stranger = chance.random() < STRANGER_SHARE
            parent = -1 if is_stranger else chance.randrange(len(self.parents.names))
            if is_stranger:
                name, facts, stranger = self._stranger()
                written, kinds = self._write(name, is_firm=stranger == "sister firm")
                kinds = (stranger, *kinds)
            else:
                facts = self._facts_of(parent)
                written, kinds = self._write(self.parents.names[parent], is_firm=self.parents.firms[parent])
            made.names.append(written)
            made.kinds.append(kinds)
            made.parents.append(parent)
            for column, fact in zip((made.emails, made.phones, made.streets), facts, strict=True):
                column.append(fact)
            made.can_tell.append(not is_stranger and self._can_tell(parent, facts))
        return made

    def _stranger(self) -> tuple[str, tuple[str, str, str], str]:
        """Name, facts, and what the stranger is to a customer."""
        chance = self._random
        [kind] = chance.choices([*STRANGERS, "stranger"], [*STRANGERS.values(), 1 - sum(STRANGERS.values())])
        while True:
            other = chance.randrange(len(self.parents.names))
            name = self._name_beside(other, kind)
            if name and (kind == "namesake" or called(name) not in self._known):
                break
        if kind in ("stranger", "namesake"):
            return name, self._facts_of_nobody(), kind
        # A family and sister firms share phone and street, but no e-mail address.
        own = self.parents
        return name, self._told(f"user{self._next()}@example.com", own.phones[other], own.streets[other]), kind

    def _name_beside(self, other: int, kind: str) -> str:
        """ "" where the customer can have no such relative. Half of the strangers without any have last names that
        nobody has, half are made of the same words as the customers' names."""
        chance, name = self._random, self.parents.names[other]
        if kind == "stranger":
            lasts = words.STRANGER_LAST_NAMES if chance.random() < 0.5 else words.LAST_NAMES
            return f"{chance.choice(words.FIRST_NAMES)} {chance.choice(lasts)}"
        if kind == "namesake":
            return name
        if self.parents.firms[other] != (kind == "sister firm"):
            return ""
        if kind == "sister firm":
            trade = next((firm for firm in words.FIRMS if without_legal_form(name).endswith(f" {firm}")), "")
            return without_legal_form(name).removesuffix(trade) + chance.choice(words.FIRMS) if trade else ""
        if kind == "son":
            return "" if name.endswith(words.GENERATIONS) else f"{name} {words.GENERATIONS[0]}"
        return f"{chance.choice(words.FIRST_NAMES)} {name.partition(' ')[2]}"

    def _facts_of(self, parent: int) -> tuple[str, str, str]:
        chance, own = self._random, self.parents
        number = own.phones[parent]
        if chance.random() < WRONG_PHONE_SHARE:
            number = phone(self._next(), 1) if chance.random() < 0.5 else chance.choice(own.phones)
        street = own.streets[parent] if chance.random() >= OTHER_STREET_SHARE else self._street()
        return self._told(own.emails[parent], number, street)

    def _facts_of_nobody(self) -> tuple[str, str, str]:
        number = self._next()
        return self._told(f"user{number}@example.com", phone(number, 2), self._street())

    def _told(self, email: str, number: str, street: str) -> tuple[str, str, str]:
        told = [self._random.random() < share for share in TOLD.values()]
        return (email if told[0] else "", number if told[1] else "", street if told[2] else "")

    def _can_tell(self, parent: int, facts: tuple[str, str, str]) -> bool:
        own = self.parents
        if own.shared[parent] == 1:
            return True
        name = called(own.names[parent])
        is_own = (own.emails[parent], own.phones[parent], own.streets[parent])
        return any(
            fact and fact == mine and self._facts[name, fact] == 1 for fact, mine in zip(facts, is_own, strict=True)
        )

    # ---- how a name is written --------------------------------------------------------------------------------

    def _write(self, name: str, *, is_firm: bool) -> tuple[str, tuple[str, ...]]:
        chance, kinds = self._random, []
        happens = {kind: chance.random() < share for kind, share in SHARES.items()}
        if is_firm:
            if happens["suffix"]:
                name, kinds = self._other_legal_form(name), ["suffix"]
        else:
            first, _, last = name.partition(" ")
            if happens["nickname"] and first in words.NICKNAMES:
                first = chance.choice(words.NICKNAMES[first])
                kinds.append("nickname")
            if happens["initial"]:
                first = f"{first} {chance.choice(_LETTERS).upper()}."
                kinds.append("initial")
            if happens["order"]:
                kinds.append("order")
            name = f"{last}, {first}" if happens["order"] else f"{first} {last}"
        if happens["typo"]:
            name = self._misspell(name)
            kinds.append("typo")
        if happens["job words"]:
            texts = words.OTHER_JOB_TEXTS if chance.random() < OTHER_JOB_TEXT_SHARE else words.JOB_TEXTS
            name = chance.choice(texts).format(name=name)
            kinds.append("job words")
        if happens["case"]:
            name = name.upper() if chance.random() < 0.5 else name.lower()
            kinds.append("case")
        return name, tuple(kinds)

    def _other_legal_form(self, name: str) -> str:
        return without_legal_form(name) + self._random.choice(words.LEGAL_FORMS)

    def _misspell(self, name: str) -> str:
        """A letter missing, too many, wrong, or two neighbours swapped, wherever letters are; also at a space."""
        chance = self._random
        places = [i for i, letter in enumerate(name[:-1]) if letter.isalpha() or letter == " "]
        at = chance.choice(places)
        wrong = chance.choice(_LETTERS)
        return chance.choice(
            (
                name[:at] + name[at + 1 :],
                name[:at] + wrong + name[at:],
                name[:at] + wrong + name[at + 1 :],
                name[:at] + name[at + 1] + name[at] + name[at + 2 :],
            )
        )
