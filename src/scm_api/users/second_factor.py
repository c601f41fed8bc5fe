"""The second factor: codes of an authenticator (TOTP, RFC 6238) and recovery codes.

A code counts once: the time step of the last one is remembered, a recovery code is taken away.
"""

import base64
import hmac
import secrets
from datetime import datetime
from uuid import UUID

import pyotp

from scm_api.access.authentication import digest
from scm_api.core.tx import Tx
from scm_api.users.links import Statements

STEP_SECONDS = 30
# Clocks may be one step apart, either way.
_SKEW_STEPS = 1
RECOVERY_CODES = 10
_ISSUER = "scm-api"


def new_secret() -> str:
    """A new secret for an authenticator: 160 random bits in base32."""
    return pyotp.random_base32()


def uri(secret: str, email: str) -> str:
    """The `otpauth://` address that authenticators read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step a code belongs to, at most one away from `now`; None for a wrong code."""
    current = int(now.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    found = None
    for step in range(current - _SKEW_STEPS, current + _SKEW_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 random bits, such as `k7qj-2m4x-azb5-wd3e`."""
    drawn = (base64.b32encode(secrets.token_bytes(10)).decode() for _ in range(RECOVERY_CODES))
    return ["-".join(one[n : n + 4] for n in range(0, 16, 4)).lower() for one in drawn]


def recovery_digest(code: str) -> bytes:
    """What is stored of a recovery code; case and dashes do not count."""
    return digest(code.replace("-", "").replace(" ", "").lower())


_USE_STEP = """
update user_credential set totp_last_step = $2
where user_id = $1 and (totp_last_step is null or totp_last_step < $2) returning true
"""
_USE_RECOVERY = """
update user_credential set recovery_sha256 = array_remove(recovery_sha256, $2)
where user_id = $1 and $2 = any(recovery_sha256) returning true
"""


async def use_code(tx: Tx, user_id: UUID, secret: str, code: str) -> bool:
    """Whether a code is right and was not used before; it is used up by this."""
    step = step_of(secret, code, tx.now)
    return step is not None and bool(await tx.fetchval(_USE_STEP, user_id, step))


async def use_recovery_code(tx: Tx, user_id: UUID, code: str) -> bool:
    """Whether a recovery code is one of the person's; it is used up by this."""
    return bool(await tx.fetchval(_USE_RECOVERY, user_id, recovery_digest(code)))


_REMOVE = """
update user_credential set totp_secret = null, totp_confirmed_at = null, recovery_sha256 = '{}'
from (select user_id, totp_confirmed_at from user_credential where user_id = $1 for update) was
where user_credential.user_id = was.user_id returning was.totp_confirmed_at is not null
"""


async def remove(statements: Statements, user_id: UUID) -> bool:
    """Forget a person's second factor, also one that was not confirmed yet; whether there was one
    that counted."""
    return bool(await statements.fetchval(_REMOVE, user_id))
