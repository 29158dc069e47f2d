"""What one value of an enum column means: known words, and what may stand beside them without changing the meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from services.mapper.transforms.enums import fold_value, known_values
from shared.catalog.identity import fold

APPLIED_MIN = 0.9
"""A meaning that is less sure is shown to a person and not used before somebody decides."""

_TYPO_RATIO_MIN = 88
_TYPO_CHARACTERS_MIN = 5
_OWN_WORD_CHARACTERS_MIN = 4
_SYNONYM_CHARACTERS_MIN = 5
"""Among other words a short synonym ("late", "open") may be there by chance; a catalogue's own word ("paid") is not."""
_VALUE_WORDS_MAX = 12
"""A longer value is a sentence: nobody can say what the words beside the known one do to it."""

# A number that is tied to the next word by a dash belongs to it: "2-weekly" is not "weekly". N and X may mean "no".
_CODE_BEFORE = re.compile(r"^\s*(?:\d{1,3}|[A-Za-z]\d{1,2}|[A-MO-WYZa-mo-wyz])\s*(?:[:)]|[-–.](?=\s))\s*(?=\S)")
_ALL = re.compile(r"^\s*100\s*%|(?<!\S)100\s*%[\s.!]*$")
"""At either end it says the same again; between words, or beside a "not", it belongs to them: "not 100% paid"."""
_DENIED = re.compile(r"\b(?:hardly|never|no|non|not|pas|sin|without)\b|n['’`´]t\b")
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHORT_NOT = re.compile(r"n['’`´]t\b")
_DOUBTFUL = re.compile(r"[^\w\s\-–—/,.:;!*#&|+()\[\]{}'’`´\"“”]")
"""Characters that say something by themselves: "Paid?", "10% paid", "~ done", "✗ paid"."""
_NEUTRAL = frozenset(
    {"a", "already", "an", "are", "been", "currently", "el", "entirely", "est", "esta", "fully", "has", "have", "is",
     "la", "le", "now", "priority", "state", "status", "successfully", "the", "totally", "type", "yet"}
)  # fmt: skip
_NOUNS: Mapping[str, frozenset[str]] = {
    "customers": frozenset({"account", "client", "customer"}),
    "employees": frozenset({"employee", "role", "staff"}),
    "estimates": frozenset({"bid", "estimate", "proposal", "quote"}),
    "invoices": frozenset({"bill", "invoice"}),
    "jobs": frozenset({"job", "work", "order"}),
    "leads": frozenset({"lead", "request"}),
    "memberships": frozenset({"agreement", "contract", "member", "membership", "plan"}),
    "properties": frozenset({"property"}),
}
"""What a record calls itself changes nothing; what others are called may: a completed estimate is no completed job."""
_FIELD_NOUNS: Mapping[tuple[str, str], frozenset[str]] = {
    ("memberships", "billing_frequency"): frozenset({"billed", "billing", "payment"}),
}
"""Words that change nothing in one field only: "Billed monthly" is monthly, "Billing canceled" no canceled member."""
_TURNING = frozenset(
    {"almost", "alternate", "awaiting", "be", "before", "bi", "bounced", "can", "cannot", "cant", "denied", "didnt",
     "disputed", "doesnt", "dont", "even", "every", "ex", "failed", "former", "formerly", "half", "hasnt", "if", "in",
     "isnt", "may", "nearly", "need", "needs", "never", "no", "non", "none", "not", "odd", "only", "other", "partial",
     "partially", "partly", "pas", "pending", "pre", "previously", "ready", "refund", "refunded", "refused", "require",
     "requires", "returned", "reversed", "sans", "semi", "should", "sin", "thrice", "till", "times", "tri", "twice",
     "un", "unable", "unless", "until", "void", "wait", "waiting", "was", "wasnt", "were", "when", "will", "without",
     "wont", "would"}
)  # fmt: skip
"""Words that turn the meaning of the ones beside them: "to be invoiced" is not invoiced. Not even a suggestion."""
_TURNING_BEGINNINGS = frozenset(
    {"bi", "de", "dis", "ex", "in", "mis", "non", "not", "over", "pre", "re", "semi", "tri", "un"}
)  # fmt: skip


@dataclass(frozen=True)
class ValueProposal:
    """What one source value is taken for, and why."""

    value: str
    confidence: float
    reason: str

    @property
    def is_sure(self) -> bool:
        """Whether it may be used before somebody has looked at it."""
        return self.confidence >= APPLIED_MIN


def propose_value(entity: str, field: str, text: str) -> ValueProposal | None:
    """The allowed value that a source value most likely means; None where no way of reading it is worth saying."""
    known = known_values(entity, field)
    folded = fold_value(text)
    if folded in known:
        is_own = folded == fold_value(known[folded])
        return ValueProposal(known[folded], 0.99, "the same word" if is_own else "a usual word for it")
    uncoded = _CODE_BEFORE.sub("", text)
    if not _DENIED.search(fold(uncoded)):
        uncoded = _ALL.sub(" ", uncoded)
    plain = fold_value(uncoded.strip(" .!*"))
    if plain in known:
        return ValueProposal(known[plain], 0.93, "a usual word for it, without the code beside it")
    if _DOUBTFUL.search(uncoded):
        return None
    nouns = _NOUNS.get(entity, frozenset()) | _FIELD_NOUNS.get((entity, field), frozenset())
    return _by_words(known, uncoded, nouns) or _by_spelling(known, plain)


# ---- inside ---------------------------------------------------------------------------------------------------


def _by_words(known: Mapping[str, str], text: str, nouns: frozenset[str]) -> ValueProposal | None:
    """The one meaning of the known words in a longer value; none where it has several, or where it is turned."""
    words = _WORD.findall(_SHORT_NOT.sub(" not", fold(_CAMEL.sub(" ", text))))
    if len(words) > _VALUE_WORDS_MAX:
        return None
    runs, free = _known_runs(known, words)
    meanings = {known[run] for run in runs}
    if len(meanings) != 1:
        return None
    [meaning] = meanings
    beside = {word for word in free if known.get(word) != meaning}
    if beside & _TURNING or any(character.isdigit() for word in beside for character in word):
        return None
    if beside <= _NEUTRAL | nouns:
        return ValueProposal(meaning, APPLIED_MIN, "a usual word for it; the words beside it change nothing")
    if not any(_is_telling(known, run) for run in runs):
        return None
    return ValueProposal(meaning, 0.75, "a usual word for it among others")


def _known_runs(known: Mapping[str, str], words: list[str]) -> tuple[list[str], list[str]]:
    """The known runs of words, longer ones first, and the words outside of them."""
    free = set(range(len(words)))
    runs: list[str] = []
    for size in range(len(words), 0, -1):
        for at in range(len(words) - size + 1):
            run = "".join(words[at : at + size])
            # What lies inside of a longer run has no say: "not paid" is not "paid".
            if run in known and len(run) >= _OWN_WORD_CHARACTERS_MIN and free.issuperset(range(at, at + size)):
                runs.append(run)
                free.difference_update(range(at, at + size))
    return runs, [words[at] for at in sorted(free)]


def _is_telling(known: Mapping[str, str], run: str) -> bool:
    """True for a word that decides inside of a longer value too."""
    return len(run) >= _SYNONYM_CHARACTERS_MIN or run == fold_value(known[run])


def _by_spelling(known: Mapping[str, str], folded: str) -> ValueProposal | None:
    if len(folded) < _TYPO_CHARACTERS_MIN or any(character.isdigit() for character in folded):
        return None
    long_enough = [spelling for spelling in known if len(spelling) >= _TYPO_CHARACTERS_MIN]
    close = process.extract(folded, long_enough, scorer=fuzz.ratio, score_cutoff=_TYPO_RATIO_MIN, limit=5)
    meanings = {known[spelling] for spelling, _, _ in close}
    # "unpaid" is close to "paid", and "inactive" to "active": a prefix that turns the meaning round is no typing error.
    if len(meanings) != 1 or any(_is_turned_round(folded, spelling) for spelling, _, _ in close):
        return None
    [value] = meanings
    return ValueProposal(value, 0.7, f"close to the spelling “{close[0][0]}”")


def _is_turned_round(one: str, other: str) -> bool:
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer.endswith(shorter) and longer[: len(longer) - len(shorter)] in _TURNING_BEGINNINGS
