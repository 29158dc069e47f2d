"""What single values are taken for: vocabularies of known platforms, and spellings nobody listed."""

from __future__ import annotations

import pytest

from services.mapper.value_reading import propose_value

VOCABULARIES = {
    ("jobs.status", "ServiceTitan"): "Scheduled=scheduled, Dispatched=scheduled, InProgress=in_progress, Hold=on_hold,"
    " Completed=completed, Canceled=canceled",
    ("jobs.status", "Jobber"): "archived=completed, requires_invoicing=completed, active=scheduled, late=scheduled,"
    " today=scheduled, upcoming=scheduled, unscheduled=unscheduled, action_required=unscheduled, on_hold=on_hold,"
    " expiring_within_30_days=scheduled",
    ("jobs.status", "Housecall Pro"): "needs scheduling=unscheduled, scheduled=scheduled, in progress=in_progress,"
    " complete rated=completed, complete unrated=completed, user canceled=canceled, pro canceled=canceled",
    ("jobs.status", "Workiz"): "Submitted=unscheduled, Pending=unscheduled, In Progress=in_progress, Done=completed,"
    " Done pending approval=completed, Canceled=canceled, In Progress (Request Approval  )=in_progress",
    ("jobs.status", "ServiceNow"): "Draft=unscheduled, Awaiting Qualification=unscheduled, Qualified=unscheduled,"
    " Ready for Dispatch=unscheduled, Assigned=scheduled, Accepted=scheduled, Work in Progress=in_progress,"
    " Closed Complete=completed, Closed Incomplete=canceled, Canceled=canceled, Cancelled=canceled,"
    " Pending dispatch=unscheduled",
    ("jobs.status", "ServiceTitan appointments"): "Working=in_progress, Done=completed",
    ("jobs.status", "Salesforce"): "New=unscheduled, On Hold=on_hold, Cannot Complete=canceled, Closed=completed",
    ("invoices.status", "ServiceTitan"): "Pending=draft, Posted=sent, Exported=sent, Batched=sent",
    ("invoices.status", "Jobber"): "draft=draft, awaiting_payment=sent, sent_not_due=sent, past_due=overdue, paid=paid,"
    " bad_debt=void",
    ("invoices.status", "Housecall Pro"): "open=sent, pending_payment=sent, paid=paid, voided=void, uncollectible=void,"
    " canceled=void",
    ("estimates.status", "ServiceTitan"): "Open=draft, Sold=approved, Dismissed=declined, pending approval=sent",
    ("estimates.status", "Jobber"): "draft=draft, awaiting_response=sent, changes_requested=sent, approved=approved,"
    " converted=converted, archived=expired",
    ("estimates.status", "Housecall Pro"): "created job from estimate=converted",
    ("memberships.status", "ServiceTitan"): "Active=active, Suspended=suspended, Expired=expired, Canceled=canceled,"
    " Deleted=canceled",
    ("leads.status", "ServiceTitan"): "Open=new, Dismissed=lost, Converted=won, New=new, Accepted=qualified",
    ("leads.status", "Housecall Pro"): "open=new, won=won, lost=lost",
    ("leads.status", "Jobber"): "new=new, assessment_completed=qualified, converted=won, archived=lost",
    ("memberships.billing_frequency", "ServiceTitan"): "OneTime=one_time, Monthly=monthly, EveryOtherMonth=None,"
    " Quarterly=quarterly, BiAnnual=semiannual, Annual=annual",
    ("employees.role", "ServiceTitan"): "Technician=technician, Dispatch=dispatcher, Accounting=office, CSR=office,"
    " FieldManager=manager, SalesManager=manager, TechnicianInstaller=technician, Admin=admin, Owner=owner",
    ("jobs.priority", "ServiceNow"): "1 - Critical=urgent, 2 - High=high, 3 - Moderate=normal, 4 - Low=low",
    ("pricebook.item_type", "Housecall Pro"): "materials=material, labor=labor, fixed discount=discount",
}  # fmt: skip

CASES = [
    (target, platform, *pair.strip().rsplit("=", 1))
    for (target, platform), pairs in VOCABULARIES.items()
    for pair in pairs.split(",")
]


@pytest.mark.parametrize(("target", "platform", "value", "meaning"), CASES)
def test_the_vocabulary_of_a_platform_is_understood(target: str, platform: str, value: str, meaning: str) -> None:
    found = propose_value(*target.split("."), value)

    assert str(found.value if found else None) == meaning


@pytest.mark.parametrize("case", [str.upper, str.title, lambda text: text.replace(" ", "_"), lambda t: f" {t}  "])
def test_case_spaces_and_underscores_do_not_matter(case: object) -> None:
    found = propose_value("jobs", "status", case("complete unrated"))  # type: ignore[operator]

    assert found is not None
    assert found.value == "completed"


@pytest.mark.parametrize(
    ("target", "value", "meaning", "confidence"),
    [
        ("jobs.status", "Completed", "completed", 0.99),
        ("jobs.status", "2) Done!", "completed", 0.93),
        ("jobs.status", "Job completed", "completed", 0.9),
        ("jobs.status", "100% done", "completed", 0.93),
        ("invoices.status", "Paid 100 %", "paid", 0.93),
        ("memberships.billing_frequency", "Billed monthly", "monthly", 0.9),
        ("memberships.status", "Payment expired", "expired", 0.75),
        ("memberships.status", "Payment suspended", "suspended", 0.75),
        ("memberships.status", "Billing canceled", "canceled", 0.75),
        ("jobs.status", "Completed (Done)", "completed", 0.9),
        ("jobs.status", "isn't scheduled", "unscheduled", 0.9),
        ("jobs.status", "Complete by Friday", "completed", 0.75),
        ("jobs.status", "Waiting for parts from vendor", "on_hold", 0.75),
        ("jobs.status", "Completd", "completed", 0.7),
        ("invoices.status", "Not paid yet", "sent", 0.9),
    ],
)
def test_the_further_from_a_known_word_the_less_sure(target: str, value: str, meaning: str, confidence: float) -> None:
    found = propose_value(*target.split("."), value)

    assert found is not None
    assert (found.value, found.confidence) == (meaning, confidence)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("jobs.status", "Completed - Paid"),
        ("jobs.status", "Not completed"),
        ("jobs.status", "LATE VISIT"),
        ("invoices.status", "unpayed"),
        ("jobs.status", "To be invoiced"),
        ("leads.status", "not qualified"),
        ("jobs.priority", "5 - Planning"),
        ("invoices.status", "Paid [VOID]"),
        ("invoices.status", "Paid (bounced)"),
        ("invoices.status", "0% paid"),
        ("invoices.status", "$50 paid of 100"),
        ("invoices.status", "Paid?"),
        ("invoices.status", "Paid - refunded"),
        ("jobs.status", "Unable to complete"),
        ("jobs.status", "won't complete"),
        ("jobs.status", "50% complete"),
        ("jobs.status", "Completed?"),
        ("jobs.status", "Complete when parts arrive"),
        ("jobs.status", "Rescheduled"),
        ("jobs.status", "In complete"),
        ("memberships.status", "Active (cancelled 3/1)"),
        ("memberships.status", "Was active"),
        ("memberships.status", "Ex-active"),
        ("memberships.billing_frequency", "Bi-weekly"),
        ("memberships.billing_frequency", "2-weekly"),
        ("memberships.billing_frequency", "Twice monthly"),
        ("memberships.billing_frequency", "3 times annually"),
        ("memberships.billing_frequency", "Monthly (paid annually)"),
        ("employees.role", "Former technician"),
        ("invoices.status", "not 100% paid"),
        ("invoices.status", "Not paid 100%"),
        ("invoices.status", "isn't paid 100%"),
        ("invoices.status", "Over 100% paid"),
        ("jobs.status", "1100% complete"),
        ("jobs.status", "done by us and then checked by the office once more before we leave"),
    ],
)
def test_what_has_two_meanings_or_is_denied_is_left_to_a_person(target: str, value: str) -> None:
    assert propose_value(*target.split("."), value) is None


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("jobs.status", "Estimate completed"),
        ("memberships.status", "N - Active"),
        ("invoices.status", "не paid"),
        ("jobs.status", "Completed/Unpaid"),
        ("estimates.status", "Expired - renewed"),
        ("jobs.priority", "High-ish"),
    ],
)
def test_words_that_nobody_knows_beside_a_known_one_make_it_a_suggestion_only(target: str, value: str) -> None:
    found = propose_value(*target.split("."), value)

    assert found is not None
    assert not found.is_sure
