"""The API application as a client sees it: access, problems, limits, headers, ETags."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.http.rate_limit import RateLimit
from shared.observability.events import listen
from tests.contract.stores.document_contract import FakeClock
from tests.unit.http.things import Hub, problem_of


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("bad_input", 422, "bad_input"),
        ("not_found", 404, "not_found"),
        ("conflict", 409, "conflict"),
        ("permanent", 422, "permanent"),
        ("retryable", 503, "retryable"),
        ("configuration", 500, "internal"),
        ("bug", 500, "internal"),
    ],
)
async def test_each_kind_of_error_has_its_status_and_code(hub: Hub, kind: str, status: int, code: str) -> None:
    problem = problem_of(await hub.viewer.get(f"/fail/{kind}"))

    assert (problem["status"], problem["code"]) == (status, code)


async def test_a_problem_says_what_happened_and_what_to_do(hub: Hub) -> None:
    problem = problem_of(await hub.viewer.get("/fail/bad_input"))

    assert (problem["detail"], problem["next"]) == ("This is no CSV file.", "Save it as CSV.")


async def test_a_passing_error_says_when_to_try_again(hub: Hub) -> None:
    answer = await hub.viewer.get("/fail/retryable")

    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize(("kind", "inside"), [("bug", "Ana Ruiz"), ("configuration", "/etc/secret")])
async def test_a_fault_tells_the_caller_nothing_of_its_inside_but_a_reference_to_the_log(
    hub: Hub, kind: str, inside: str
) -> None:
    logged: list[dict] = []
    stop = listen(lambda event, facts: logged.append({"event": event.name, **facts}))

    answer = await hub.viewer.get(f"/fail/{kind}")
    stop()

    assert inside not in answer.text
    assert logged[0]["event"] == "request_failed"
    assert problem_of(answer)["instance"].endswith(logged[0]["reference"])


async def test_an_invalid_request_names_the_places_and_not_the_values(hub: Hub) -> None:
    answer = await hub.admin.post("/things", json={"name": ["Ana Ruiz"]})

    problem = problem_of(answer)
    assert (problem["status"], problem["code"]) == (422, "invalid_request")
    assert [error["where"] for error in problem["errors"]] == ["body.name"]
    assert "Ana" not in answer.text


async def test_a_body_that_is_no_json_is_an_invalid_request(hub: Hub) -> None:
    answer = await hub.admin.post("/things", content=b"{", headers={"Content-Type": "application/json"})

    assert problem_of(answer)["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "not_found"), ("PUT", "/things", 405, "method_not_allowed")],
)
async def test_unknown_paths_and_methods_are_problems_too(
    hub: Hub, method: str, path: str, status: int, code: str
) -> None:
    problem = problem_of(await hub.viewer.request(method, path))

    assert (problem["status"], problem["code"]) == (status, code)


async def test_without_a_token_every_route_of_the_api_is_closed(hub: Hub) -> None:
    answer = await hub.nobody.get("/fail/bad_input")

    assert problem_of(answer)["status"] == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer hub_wrong", "Basic YTpi", "hub_x", "Bearer"])
async def test_what_is_no_valid_token_is_refused(hub: Hub, header: str) -> None:
    answer = await hub.nobody.get("/things", headers={"Authorization": header})

    assert problem_of(answer)["status"] == 401


async def test_public_routes_need_no_token(hub: Hub) -> None:
    assert (await hub.nobody.get("/health")).json() == {"ok": True}


@pytest.mark.parametrize(
    ("role", "statuses"), [("viewer", [200, 403, 403]), ("admin", [200, 201, 403]), ("owner", [200, 201, 200])]
)
async def test_each_role_may_what_it_should(hub: Hub, role: str, statuses: list[int]) -> None:
    caller = hub.clients[role]

    answers = [
        await caller.get("/things"),
        await caller.post("/things", json={"name": "a"}),
        await caller.delete("/things"),
    ]

    assert [answer.status_code for answer in answers] == statuses


async def test_refusals_are_audited(hub: Hub) -> None:
    reasons: list[object] = []
    stop = listen(lambda event, facts: reasons.append(facts["reason"]) if event.name == "access_refused" else None)

    await hub.nobody.get("/things")
    await hub.nobody.get("/things", headers={"Authorization": "Bearer hub_wrong"})
    await hub.viewer.delete("/things")
    stop()

    assert reasons == ["token_missing", "token_unknown", "role"]


async def test_above_the_rate_limit_the_answer_is_429_with_retry_after(hub: Hub) -> None:
    gate = hub.app.state.gate
    gate._limit = RateLimit(per_second=0.5, burst=2, clock=FakeClock())

    answers = [await hub.viewer.get("/things") for _ in range(3)]
    other = await hub.admin.get("/things")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "2"
    assert problem_of(answers[2])["code"] == "rate_limited"
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/things", "/nothing", "/fail/bug", "/openapi.json"])
async def test_every_answer_has_the_security_headers(hub: Hub, path: str) -> None:
    headers = (await hub.viewer.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


async def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(hub: Hub) -> None:
    def body(size: int) -> bytes:
        return b'{"name": "' + b"a" * (size - 12) + b'"}'

    json_type = {"Content-Type": "application/json"}
    at_limit = await hub.admin.post("/things", content=body(1_000), headers=json_type)
    above = await hub.admin.post("/things", content=body(1_001), headers=json_type)

    assert at_limit.status_code == 201
    assert (problem_of(above)["status"], problem_of(above)["code"]) == (413, "request_too_large")


async def in_parts(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 700):
        yield b"x" * min(700, size - start)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_upload_of_the_limit_passes_and_one_byte_more_does_not(hub: Hub, is_streamed: bool) -> None:
    def body(size: int) -> bytes | AsyncIterator[bytes]:
        return in_parts(size) if is_streamed else b"x" * size

    at_limit = await hub.admin.post("/files", content=body(2_000))
    above = await hub.admin.post("/files", content=body(2_001))

    assert (at_limit.status_code, at_limit.json()) == (201, {"size": 2_000})
    assert (problem_of(above)["status"], problem_of(above)["code"]) == (413, "file_too_large")
    assert "2,000 bytes" in problem_of(above)["detail"]
    assert "HUB_UPLOAD_BYTES_MAX" in problem_of(above)["next"]


async def test_polling_costs_nothing_while_nothing_changes(hub: Hub) -> None:
    first = await hub.viewer.get("/progress")
    same = await hub.viewer.get("/progress", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    await hub.admin.post("/things", json={"name": "a"})
    changed = await hub.viewer.get("/progress", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, same.status_code, changed.status_code) == (200, 304, 200)
    assert (same.content, same.headers["etag"]) == (b"", first.headers["etag"])
    assert changed.json() == {"made": 1}
    assert first.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 428, "precondition_required"),
        ({"If-Match": '"abc"'}, 412, "precondition_failed"),
        ({"If-Match": "*"}, 412, "precondition_failed"),
        ({"If-Match": 'W/"r3"'}, 412, "precondition_failed"),
    ],
)
async def test_a_change_must_say_what_it_is_based_on(hub: Hub, headers: dict, status: int, code: str) -> None:
    problem = problem_of(await hub.admin.patch("/mapping", headers=headers))

    assert (problem["status"], problem["code"]) == (status, code)


async def test_if_match_gives_the_revision(hub: Hub) -> None:
    assert (await hub.admin.patch("/mapping", headers={"If-Match": '"r3"'})).json() == {"based_on": 3}


@pytest.mark.parametrize(("query", "status"), [("", 200), ("?limit=200", 200), ("?limit=201", 422), ("?limit=0", 422)])
async def test_pages_have_a_bounded_size(hub: Hub, query: str, status: int) -> None:
    assert (await hub.viewer.get(f"/things{query}")).status_code == status


async def test_the_openapi_document_tells_of_tokens_and_problems(hub: Hub) -> None:
    document = (await hub.nobody.get("/openapi.json")).json()

    operation = document["paths"]["/api/v1/things"]["post"]
    assert operation["responses"]["default"]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    assert "422" not in operation["responses"]
    assert operation["security"] == [{"HTTPBearer": []}]
    assert "code" in document["components"]["schemas"]["Problem"]["properties"]


async def test_there_are_no_documentation_pages_that_load_foreign_scripts(hub: Hub) -> None:
    answers = [await hub.owner.get(f"http://hub{path}") for path in ("/docs", "/redoc", "/openapi.json")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
