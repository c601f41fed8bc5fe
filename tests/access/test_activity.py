"""A job is done for whoever may still work here when its turn comes."""

import httpx
import pytest

from scm_api.core.runtime import Runtime
from tests.support import Client, new_client
from tests.users.people import join

PLANS = "/v1/replenishment/plans"


async def test_a_revoked_keys_job_fails_and_plans_nothing(
    api: Client, runtime: Runtime, http: httpx.AsyncClient
) -> None:
    made = await api.ok("POST", "/v1/api-keys", json={"name": "k", "roles": ["planner"]})
    key = Client(runtime, http, api.organization_id, made["token"])
    started = await key.post(PLANS, {})
    assert started.status_code == 202, started.text
    await api.ok("POST", f"/v1/api-keys/{made['id']}/revoke")
    job = await api.run_job(started)
    assert (job["status"], job["error"]["code"]) == ("failed", "no_longer_active")
    plan = await api.ok("GET", f"{PLANS}/{started.json()['plan_id']}")
    assert (plan["status"], plan["summary"]) == ("failed", None)


@pytest.mark.parametrize("change", [{"status": "suspended"}, None])
async def test_a_job_of_somebody_suspended_fails_and_of_a_member_succeeds(
    api: Client, change: dict[str, str] | None
) -> None:
    person = await join(api, ["planner"])
    started = await person.call("POST", PLANS, {})
    if change is not None:
        path = f"/v1/users/{person.id}"
        etag = (await api.get(path)).headers["etag"]
        await api.ok("PATCH", path, json=change, headers={"If-Match": etag})
    job = await api.run_job(started)
    assert job["status"] == ("succeeded" if change is None else "failed")


async def test_a_key_of_the_command_line_has_its_jobs_done(
    runtime: Runtime, http: httpx.AsyncClient
) -> None:
    api = await new_client(runtime, http)
    job = await api.run_job(await api.post(PLANS, {}))
    assert job["status"] == "succeeded"
