"""The second factor: set up, asked for, used once, lost and removed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pyotp
import pytest

from scm_api.users import second_factor, throttle
from scm_api.users.second_factor import step_of
from tests.support import Client
from tests.users.people import Person, code, from_address, join, logged

# RFC 6238, appendix B, SHA-1: the last six digits.
_RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
_RFC = [
    (1111111111, "050471"),
    (1111111109, "081804"),
    (1234567890, "005924"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("seconds", "digits"), _RFC)
def test_codes_are_those_of_the_rfc_one_step_either_way(seconds: int, digits: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    step = seconds // 30
    for skew, expected in ((-60, None), (-30, step), (0, step), (30, step), (60, None)):
        assert step_of(_RFC_SECRET, digits, now + timedelta(seconds=skew)) == expected


async def _enable(person: Person) -> tuple[str, list[str]]:
    """Switch the second factor on by the code of the step before; gives secret and recoveries."""
    begun = await person.ok("POST", "/v1/me/totp", {"password": person.password})
    # Not at the very end of a step, where the one before would be too old on arrival.
    left = 30 - datetime.now(UTC).timestamp() % 30
    await asyncio.sleep(left if left < 2 else 0)
    secret = begun["secret"]
    assert begun["otpauth_uri"].startswith("otpauth://totp/scm-api:")
    answer = await person.ok("POST", "/v1/me/totp/confirm", {"totp_code": _code(secret, -1)})
    return secret, answer["recovery_codes"]


def _code(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30 * steps))


async def test_a_login_needs_a_code_once_the_factor_is_confirmed(api: Client) -> None:
    person = await join(api)
    await person.ok("POST", "/v1/me/totp", {"password": person.password})
    assert (await person.log_in()).status_code == 201
    secret, recovery = await _enable(person)
    assert len(set(recovery)) == 10
    assert code(await person.log_in()) == (401, "second_factor_required")
    person.password = "not the password"
    assert code(await person.log_in(totp_code=_code(secret))) == (401, "login_failed")
    person.password = "correct horse 42 battery"
    assert code(await person.log_in(totp_code="000000")) == (401, "login_failed")
    answer = await person.log_in(totp_code=_code(secret))
    assert answer.status_code == 201
    sessions = (await person.ok("GET", "/v1/me/sessions"))["data"]
    assert sessions[-1]["method"] == "password_totp"
    assert (await person.ok("GET", "/v1/me"))["has_second_factor"] is True
    assert "totp_enabled" in await logged(api, person.id)


async def test_a_code_counts_once_even_for_two_at_once(api: Client) -> None:
    person = await join(api)
    secret, _ = await _enable(person)
    assert code(await person.log_in(totp_code=_code(secret, -1))) == (401, "login_failed")
    now = _code(secret)
    answers = await asyncio.gather(*(person.log_in(totp_code=now) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401]
    assert code(await person.log_in(totp_code=now)) == (401, "login_failed")


async def test_a_recovery_code_counts_once(api: Client) -> None:
    person = await join(api)
    _, recovery = await _enable(person)
    assert (await person.log_in(recovery_code=recovery[3])).status_code == 201
    assert code(await person.log_in(recovery_code=recovery[3])) == (401, "login_failed")
    typed = recovery[4].replace("-", " ").upper()
    assert (await person.log_in(recovery_code=typed)).status_code == 201


async def test_codes_cannot_be_guessed_from_many_networks(api: Client) -> None:
    person = await join(api)
    secret, _ = await _enable(person)
    device = person.tokens["device_token"]
    for _ in range(throttle.CODES.free):
        guess = Person(from_address(api.http), person.email, person.id)
        assert (await guess.log_in(totp_code="000000")).status_code == 401
    guess = Person(from_address(api.http), person.email, person.id)
    assert code(await guess.log_in(totp_code=_code(secret))) == (429, "login_throttled")
    known: dict[str, Any] = {"totp_code": _code(secret), "device_token": device}
    assert (await guess.log_in(**known)).status_code == 201


async def test_setting_up_and_removing_need_the_password_and_a_code(api: Client) -> None:
    person = await join(api)
    wrong = {"password": "not the password"}
    assert code(await person.call("POST", "/v1/me/totp", wrong)) == (403, "proof_failed")
    confirm = "/v1/me/totp/confirm"
    answer = await person.call("POST", confirm, {"totp_code": "123456"})
    assert code(answer) == (409, "no_second_factor")
    secret, recovery = await _enable(person)
    again = {"password": person.password}
    assert code(await person.call("POST", "/v1/me/totp", again)) == (409, "second_factor_active")
    remove: dict[str, str] = {"password": person.password}
    assert code(await person.call("DELETE", "/v1/me/totp", remove)) == (403, "proof_failed")
    used = remove | {"totp_code": _code(secret, -1)}
    assert code(await person.call("DELETE", "/v1/me/totp", used)) == (403, "proof_failed")
    await person.ok("DELETE", "/v1/me/totp", remove | {"recovery_code": recovery[0]})
    assert (await person.log_in()).status_code == 201
    assert "totp_disabled" in await logged(api, person.id)


async def test_a_stolen_session_cannot_guess_the_password(api: Client) -> None:
    person = await join(api)
    for dry_run in ("true", "false", "true", "false", "true"):
        body = {"old_password": "not the password", "new_password": "a new phrase 42"}
        params = {"dry_run": dry_run}
        answer = await person.call("POST", "/v1/me/password", body, params=params)
        assert code(answer) == (403, "proof_failed")
    answer = await person.call("POST", "/v1/me/totp", {"password": person.password})
    assert code(answer) == (429, "login_throttled")


async def test_recovery_codes_are_kept_as_digests(api: Client, admin: asyncpg.Connection) -> None:
    person = await join(api)
    _, recovery = await _enable(person)
    kept = await admin.fetchval(
        "select recovery_sha256 from user_credential where user_id = $1", person.id
    )
    assert sorted(kept) == sorted(second_factor.recovery_digest(one) for one in recovery)
