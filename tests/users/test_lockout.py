"""Failed logins make their own source wait, and nobody else."""

import asyncpg
import httpx
import pytest

from scm_api.users import throttle
from tests.support import Client
from tests.users.people import Person, code, from_address, join, network, new_email

_WRONG = "certainly not it"


async def _fail(http: httpx.AsyncClient, email: str, **more: str) -> httpx.Response:
    return await http.post("/v1/sessions", json={"email": email, "password": _WRONG, **more})


async def _lock(http: httpx.AsyncClient, email: str, **more: str) -> httpx.Response:
    for _ in range(throttle.ACCOUNT_HERE.free):
        assert code(await _fail(http, email, **more)) == (401, "login_failed")
    return await _fail(http, email, **more)


@pytest.mark.parametrize("is_known", [True, False])
async def test_the_sixth_attempt_from_one_network_waits(api: Client, is_known: bool) -> None:
    person = await join(api)
    email = person.email if is_known else new_email()
    address = network()
    waiting = await _lock(from_address(api.http, address), email)
    assert code(waiting) == (429, "login_throttled")
    assert waiting.headers["retry-after"] == "30"
    # A neighbour in the same /24 is the same source.
    neighbour = address.rsplit(".", 1)[0] + ".255"
    assert (await _fail(from_address(api.http, neighbour), email)).status_code == 429
    # So is trying without its happening: a dry run would be a free guess.
    tried = await from_address(api.http, address).post(
        "/v1/sessions?dry_run=true", json={"email": email, "password": _WRONG}
    )
    assert tried.status_code == 429


async def test_a_guess_counts_in_a_dry_run_too(api: Client) -> None:
    email, http = new_email(), from_address(api.http)
    body = {"email": email, "password": _WRONG}
    for _ in range(throttle.ACCOUNT_HERE.free):
        assert (await http.post("/v1/sessions?dry_run=true", json=body)).status_code == 401
    assert (await http.post("/v1/sessions?dry_run=true", json=body)).status_code == 429


async def test_the_right_password_waits_there_too_and_gets_in_elsewhere(api: Client) -> None:
    person = await join(api)
    attacker = from_address(api.http)
    await _lock(attacker, person.email)
    there = Person(attacker, person.email, person.id)
    assert code(await there.log_in()) == (429, "login_throttled")
    elsewhere = Person(from_address(api.http), person.email, person.id)
    assert (await elsewhere.log_in()).status_code == 201


async def test_a_known_device_gets_in_from_the_very_network_of_the_attack(api: Client) -> None:
    address = network()
    person = await join(api)
    person.http = from_address(api.http, address)
    assert (await person.log_in()).status_code == 201
    device = person.tokens["device_token"]
    await _lock(from_address(api.http, address), person.email)
    assert (await person.log_in()).status_code == 429
    assert (await person.log_in(device_token="scm_dv_aaaaaaaaaaaaaaaa_no")).status_code == 429
    answer = await person.log_in(device_token=device)
    assert answer.status_code == 201
    assert answer.json()["device_token"] is None


async def test_a_device_has_a_count_of_its_own_and_counts_for_its_person_only(
    api: Client,
) -> None:
    person, victim = await join(api), await join(api)
    device = person.tokens["device_token"]
    http = from_address(api.http)
    assert (await _lock(http, person.email, device_token=device)).status_code == 429
    assert (await Person(http, person.email, person.id).log_in()).status_code == 201
    # A device of somebody else is no device of the victim's.
    http = from_address(api.http)
    assert (await _lock(http, victim.email, device_token=device)).status_code == 429


async def test_waits_grow_and_are_forgotten(api: Client, admin: asyncpg.Connection) -> None:
    email, http, address = new_email(), None, network()
    http = from_address(api.http, address)
    await _lock(http, email)
    key = throttle.scope(
        throttle.ACCOUNT_HERE, "account_here", email, throttle.network_of(address)
    ).key

    async def later(seconds: int) -> None:
        await admin.execute(
            "update login_throttle set last_at = last_at - make_interval(secs => $2) "
            "where scope = $1",
            key,
            float(seconds),
        )

    waits = []
    for wait in (30, 60, 120, 240, 480, 900, 900):
        refused = await _fail(http, email)
        waits.append(int(refused.headers["retry-after"]))
        assert wait - 3 <= waits[-1] <= wait
        await later(wait)
        assert (await _fail(http, email)).status_code == 401
    await later(2 * 900 + 1)
    assert (await _fail(http, email)).status_code == 401
    assert (await _fail(http, email)).status_code == 401


async def test_a_success_forgets_the_failures(api: Client) -> None:
    person = await join(api)
    for _ in range(2):
        for _ in range(throttle.ACCOUNT_HERE.free - 1):
            await _fail(person.http, person.email)
        assert (await person.log_in()).status_code == 201


async def test_a_network_that_tries_many_accounts_waits_for_all_of_them(
    api: Client, admin: asyncpg.Connection
) -> None:
    person = await join(api)
    device = person.tokens["device_token"]
    address = network()
    http = from_address(api.http, address)
    key = throttle.scope(throttle.NETWORK, "network", throttle.network_of(address)).key
    await _fail(http, new_email())
    await admin.execute(
        "update login_throttle set failures = $2 where scope = $1", key, throttle.NETWORK.free
    )
    assert (await _fail(http, new_email())).status_code == 429
    there = Person(http, person.email, person.id)
    assert (await there.log_in()).status_code == 429
    assert (await there.log_in(device_token=device)).status_code == 201
    assert (await person.log_in()).status_code == 201


async def test_an_attack_from_everywhere_only_slows_unknown_devices(
    api: Client, admin: asyncpg.Connection
) -> None:
    person = await join(api)
    device = person.tokens["device_token"]
    for _ in range(throttle.ACCOUNT_FREE + 1):
        assert (await _fail(from_address(api.http), person.email)).status_code == 401
    address = network()
    fresh = Person(from_address(api.http, address), person.email, person.id)
    slowed = await fresh.log_in()
    assert code(slowed) == (429, "login_throttled")
    assert slowed.headers["retry-after"] == str(throttle.PACE_SECONDS)
    assert (await fresh.log_in()).status_code == 429
    key = throttle.scope(
        throttle.ACCOUNT_HERE, "account_here", person.email, throttle.network_of(address)
    ).key
    await admin.execute(
        "update login_throttle set last_at = last_at - make_interval(secs => 30) where scope = $1",
        key,
    )
    # Having waited, the owner gets in on a new device, while the attack goes on.
    assert (await fresh.log_in()).status_code == 201
    known = Person(from_address(api.http), person.email, person.id)
    assert (await known.log_in(device_token=device)).status_code == 201


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_a_source_is_a_network(address: str | None, expected: str) -> None:
    assert throttle.network_of(address) == expected
