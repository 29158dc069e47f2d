"""The mapping memory in its store: per account, bounded, shared only on demand, forgotten on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.mapper import memory_store
from services.mapper.memory_store import AccountMemory, MappingMemory, Seen
from shared.errors import NotAllowedError, NotFoundError
from shared.messages.mapping import FileMapping, MappingDocument
from tests.support.stores import open_documents
from tests.unit.mapper.builders import field, record


class Clock:
    """Counts its calls."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncIterator[MappingMemory]:
    clock = Clock()
    async with open_documents(tmp_path, clock) as documents:
        yield MappingMemory(documents, clock, may_share=True)


SHA = "ab" * 32


def mapping(
    *headers: str, field_name: str = "name", entity: str | None = "customers", file: str = "clients.csv"
) -> MappingDocument:
    """One file whose first column feeds a field; left out where there is no entity type."""
    records = (record(entity, field(field_name, 0)),) if entity else ()
    return MappingDocument(files=(FileMapping(file=file, sha256=SHA, headers=headers, records=records),))


async def learn(
    memory: MappingMemory,
    document: MappingDocument,
    *,
    account: str = "main",
    session: str = "s1",
    detected: str | None = None,
    left_out: bool = False,
) -> None:
    seen = {SHA: Seen(entity=detected, left_out=left_out)}
    await memory.learn(account, document, seen, session=session, actor="ann")


async def entities(memory: MappingMemory, account: str = "main") -> list[tuple[str, str | None]]:
    """(file, entity type) of what the account remembers."""
    return [(entry.file, entry.entity) for entry in (await memory.of_account(account)).entries]


async def fields(memory: MappingMemory, account: str = "main") -> list[tuple[str, str]]:
    """(header, field) of what the account can use."""
    known = await memory.known_to(account)
    return [(one.columns[0].header, one.primary.fields[0].field) for one in known if one.primary is not None]


async def test_an_approved_mapping_is_remembered_for_its_account_alone(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))

    assert await fields(memory) == [("Client", "name")]
    assert await fields(memory, "other") == []


async def test_the_same_shape_is_remembered_once_as_last_approved(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))
    await learn(memory, mapping("CLIENT", "phone", field_name="company"), session="s2")

    [entry] = (await memory.of_account("main")).entries
    assert (await fields(memory), entry.session, entry.times) == ([("CLIENT", "company")], "s2", 2)


async def test_approving_the_same_session_twice_counts_once(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))
    await learn(memory, mapping("Client", "Phone"))

    [entry] = (await memory.of_account("main")).entries
    assert entry.times == 1


async def test_the_oldest_is_forgotten_where_the_memory_is_full(
    memory: MappingMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_store, "ENTRIES_MAX", 2)

    for header in ("First", "Second", "Third"):
        await learn(memory, mapping(header, "Phone"))

    assert [header for header, _ in await fields(memory)] == ["Third", "Second"]


async def test_the_memory_is_bounded_in_bytes(memory: MappingMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    await learn(memory, mapping("First", "Phone"))
    one_entry = len((await memory.of_account("main")).model_dump_json(exclude_defaults=True))
    monkeypatch.setattr(memory_store, "BYTES_MAX", one_entry + 200)

    await learn(memory, mapping("Second", "Phone"))

    assert [header for header, _ in await fields(memory)] == ["Second"]


async def test_each_entry_is_encoded_once_however_many_go(
    memory: MappingMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        await learn(memory, mapping(f"Number {number}", "Phone"))
    monkeypatch.setattr(memory_store, "BYTES_MAX", 0)
    encoded: list[AccountMemory] = []
    dump = AccountMemory.model_dump_json

    def counted(memory: AccountMemory, **more: Any) -> str:
        encoded.append(memory)
        return dump(memory, **more)

    monkeypatch.setattr(AccountMemory, "model_dump_json", counted)

    await learn(memory, mapping("Number 6", "Phone"))

    assert await fields(memory) == []
    assert len(encoded) == 2  # the rest without the entries, and what is stored


async def test_a_file_of_thousands_of_columns_is_not_remembered(memory: MappingMemory) -> None:
    await learn(memory, mapping(*(f"A long header, number {number}" for number in range(9_000))))

    assert await fields(memory) == []


async def test_what_is_forgotten_helps_no_more_and_the_audit_says_who_did_it(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))
    await learn(memory, mapping("Company", "Phone"))
    [_, entry] = (await memory.of_account("main")).entries

    assert await memory.forget("main", "ben", [entry.id]) == 1

    left = await memory.of_account("main")
    assert [header for header, _ in await fields(memory)] == ["Company"]
    assert (left.audit[-1].actor, left.audit[-1].action) == ("ben", "forgot 1 mappings")


async def test_all_can_be_forgotten_at_once(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))
    await learn(memory, mapping("Company", "Phone"))

    assert await memory.forget("main", "ben") == 2
    assert await fields(memory) == []


async def test_an_unknown_mapping_cannot_be_forgotten(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))

    with pytest.raises(NotFoundError, match="no remembered mapping nothing"):
        await memory.forget("main", "ben", ["nothing"])

    assert await fields(memory) == [("Client", "name")]


async def test_the_mapping_of_another_account_cannot_be_forgotten_or_shared(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))
    [entry] = (await memory.of_account("main")).entries

    with pytest.raises(NotFoundError):
        await memory.forget("other", "eve", [entry.id])
    with pytest.raises(NotFoundError):
        await memory.share("other", "eve", entry.id, shared=True)

    assert await fields(memory) == [("Client", "name")]


async def shared_entry(memory: MappingMemory) -> str:
    """Id of a mapping that main shares."""
    await learn(memory, mapping("Client", "Phone"))
    [entry] = (await memory.of_account("main")).entries
    await memory.share("main", "ann", entry.id, shared=True)
    return entry.id


async def test_a_shared_mapping_helps_other_accounts_and_does_not_say_whose_it_is(memory: MappingMemory) -> None:
    await shared_entry(memory)

    [known] = await memory.known_to("other")

    assert (await fields(memory, "other"), known.from_other_account) == ([("Client", "name")], True)
    assert (known.approved_by, known.session, known.file) == ("", "", "")
    assert (await memory.of_account("other")).entries == []


async def test_what_is_approved_again_is_shared_as_it_is_now(memory: MappingMemory) -> None:
    await shared_entry(memory)

    await learn(memory, mapping("Client", "Phone", field_name="company"), session="s2")

    assert await fields(memory, "other") == [("Client", "company")]


@pytest.mark.parametrize("how", ["stopped", "forgotten", "all forgotten"])
async def test_a_mapping_that_is_no_longer_shared_helps_nobody_else(memory: MappingMemory, how: str) -> None:
    entry = await shared_entry(memory)

    if how == "stopped":
        await memory.share("main", "ann", entry, shared=False)
    else:
        await memory.forget("main", "ann", [entry] if how == "forgotten" else None)

    assert await fields(memory, "other") == []


async def test_where_the_operator_does_not_allow_it_nothing_is_shared_or_taken(memory: MappingMemory) -> None:
    entry = await shared_entry(memory)
    closed = MappingMemory(memory.documents, memory.clock, may_share=False)

    with pytest.raises(NotAllowedError, match="switched off"):
        await closed.share("main", "ann", entry, shared=True)

    assert await fields(closed, "other") == []


async def test_a_shared_mapping_that_its_account_has_no_room_for_is_taken_back(
    memory: MappingMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared_entry(memory)
    monkeypatch.setattr(memory_store, "ENTRIES_MAX", 1)

    await learn(memory, mapping("Company", "Fax"))

    assert await fields(memory, "other") == []


async def test_a_process_that_dies_while_it_forgets_leaves_nothing_shared(
    memory: MappingMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await shared_entry(memory)
    put = memory.documents.put

    async def dies(kind: str, *arguments: Any, **more: Any) -> int:
        if kind == memory_store.MEMORY:
            raise RuntimeError("killed")
        return await put(kind, *arguments, **more)

    monkeypatch.setattr(memory.documents, "put", dies)
    with pytest.raises(RuntimeError):
        await memory.forget("main", "ann", [entry])

    assert await fields(memory, "other") == []


@pytest.mark.parametrize("how", ["stopped", "forgotten"])
async def test_a_shared_copy_without_its_own_mapping_can_be_taken_back_by_id(memory: MappingMemory, how: str) -> None:
    entry = await shared_entry(memory)
    stored = await memory.documents.get(memory_store.MEMORY, "main", account="main")
    assert stored is not None
    await memory.documents.put(memory_store.MEMORY, "main", b"{}", account="main", expected_revision=stored.revision)

    if how == "stopped":
        await memory.share("main", "ann", entry, shared=False)
    else:
        assert await memory.forget("main", "ann", [entry]) == 1

    assert await fields(memory, "other") == []


async def test_a_mapping_that_is_forgotten_while_it_is_shared_is_not_shared(
    memory: MappingMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(memory, mapping("Client", "Phone"))
    [entry] = (await memory.of_account("main")).entries
    put = memory.documents.put

    async def overtaken(kind: str, *arguments: Any, **more: Any) -> int:
        if kind == memory_store.SHARED_MEMORY:
            monkeypatch.undo()
            await memory.forget("main", "ben", [entry.id])
        return await put(kind, *arguments, **more)

    monkeypatch.setattr(memory.documents, "put", overtaken)
    await memory.share("main", "ann", entry.id, shared=True)

    assert await fields(memory, "other") == []
    assert (await memory.of_account("main")).entries == []


async def test_a_copy_that_others_see_and_its_account_no_longer_remembers_is_listed(memory: MappingMemory) -> None:
    entry = await shared_entry(memory)
    stored = await memory.documents.get(memory_store.MEMORY, "main", account="main")
    assert stored is not None
    await memory.documents.put(memory_store.MEMORY, "main", b"{}", account="main", expected_revision=stored.revision)

    assert [(one.id, one.shared) for one in (await memory.of_account("main")).entries] == [(entry, True)]


async def test_the_shared_copy_of_another_account_cannot_be_taken_back(memory: MappingMemory) -> None:
    entry = await shared_entry(memory)

    with pytest.raises(NotFoundError):
        await memory.share("other", "eve", entry, shared=False)
    with pytest.raises(NotFoundError):
        await memory.forget("other", "eve", [entry])

    assert await fields(memory, "other") == [("Client", "name")]


# ---- corrected, left out --------------------------------------------------------------------------------------


async def test_what_is_approved_as_another_entity_type_replaces_what_was_said_before(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"), detected="customers")

    await learn(memory, mapping("Client", "Phone", entity="leads"), session="s2", detected="customers")

    assert await entities(memory) == [("clients.csv", "leads")]


async def test_a_corrected_mapping_is_no_longer_shared_as_it_was(memory: MappingMemory) -> None:
    await shared_entry(memory)

    await learn(memory, mapping("Client", "Phone", entity="leads"), session="s2", detected="customers")

    assert await fields(memory, "other") == []


async def test_the_same_headers_in_a_file_of_another_name_are_remembered_beside_it(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"), detected="customers")

    await learn(memory, mapping("Client", "Phone", entity="leads", file="leads.csv"), session="s2", detected="leads")

    assert await entities(memory) == [("leads.csv", "leads"), ("clients.csv", "customers")]


async def test_a_correction_reaches_files_whose_name_has_a_word_in_common(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"), detected="customers")

    corrected = mapping("Client", "Phone", entity="leads", file="clients new.csv")
    await learn(memory, corrected, session="s2", detected="customers")

    assert await entities(memory) == [("clients new.csv", "leads")]


async def test_leaving_out_a_file_by_choice_teaches(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone", entity=None), detected="customers", left_out=True)

    assert await entities(memory) == [("clients.csv", None)]


@pytest.mark.parametrize("detected", ["customers", None])
async def test_a_file_that_nobody_chose_to_leave_out_teaches_nothing(
    memory: MappingMemory, detected: str | None
) -> None:
    await learn(memory, mapping("Client", "Phone", file="clients_2024.csv"), detected="customers")

    without = mapping("Client", "Phone", entity=None, file="clients_2023.csv")
    await learn(memory, without, session="s2", detected=detected)

    assert await entities(memory) == [("clients_2024.csv", "customers")]


async def test_leaving_out_a_file_leaves_what_was_approved_of_other_files(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone", file="clients_2024.csv"), detected="customers")

    for year in (2022, 2023):
        without = mapping("Client", "Phone", entity=None, file=f"clients_{year}.csv").files[0]
        document = MappingDocument(files=(without.model_copy(update={"sha256": str(year)}),))
        seen = {str(year): Seen(entity="customers", left_out=True)}
        await memory.learn("main", document, seen, session=f"s{year}", actor="ann")

    assert await entities(memory) == [
        ("clients_2023.csv", None),
        ("clients_2022.csv", None),
        ("clients_2024.csv", "customers"),
    ]


async def test_a_file_that_was_left_out_is_approved_later(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone", entity=None), detected="customers", left_out=True)

    await learn(memory, mapping("Client", "Phone"), session="s2", detected="customers")

    assert await entities(memory) == [("clients.csv", "customers")]


async def test_leaving_out_what_was_approved_before_takes_its_place(memory: MappingMemory) -> None:
    await learn(memory, mapping("Client", "Phone"))

    await learn(memory, mapping("Client", "Phone", entity=None), session="s2", left_out=True)

    assert await entities(memory) == [("clients.csv", None)]


async def test_two_approvals_at_the_same_moment_are_both_remembered(
    memory: MappingMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = memory.documents.put

    async def overtaken(*arguments: object, **more: object) -> int:
        monkeypatch.undo()
        await learn(memory, mapping("Meanwhile", "Phone"))
        return await put(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(memory.documents, "put", overtaken)
    await learn(memory, mapping("Client", "Phone"))

    assert {header for header, _ in await fields(memory)} == {"Client", "Meanwhile"}
