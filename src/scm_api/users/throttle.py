"""Waiting after failed logins, counted so that nobody can lock somebody else out.

Failures count against the account from one network, the network, and the account from everywhere.
Only the first two make a caller wait long, and they bind only that network; a device the person has
logged in from before has a count of its own.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from scm_api.core.tx import Tx
from scm_api.users.errors import LoginThrottled


@dataclass(frozen=True)
class Rule:
    """`free` failures cost nothing; each further one doubles the wait, up to `longest_seconds`.
    All is forgotten 15 minutes after the last wait has ended."""

    free: int
    first_seconds: int = 30
    longest_seconds: int = 900

    def wait_seconds(self, failures: int) -> int:
        """How long to wait after so many failures."""
        if failures < self.free:
            return 0
        doublings = min(failures - self.free, 10)
        return min(self.first_seconds << doublings, self.longest_seconds)

    def is_forgotten(self, failures: int, age_seconds: float) -> bool:
        """Whether the count starts anew."""
        return age_seconds > self.wait_seconds(failures) + _FORGET_SECONDS


_FORGET_SECONDS = 15 * 60
# One account from one network (or with one known device, or in one session).
ACCOUNT_HERE = Rule(free=5)
# One network, whatever the accounts: offices share one, so it takes many.
NETWORK = Rule(free=100)
# Wrong codes after the right password, from everywhere: only who knows the password can cause them.
CODES = Rule(free=10, first_seconds=60)
# Failures of one account from everywhere; beyond them, unknown devices are slowed: a network must
# have shown itself this long ago before its next attempt is looked at.
ACCOUNT_FREE = 50
PACE_SECONDS = 30
_ACCOUNT_FORGET_SECONDS = 3600


@dataclass(frozen=True)
class Scope:
    """What is counted together, and by which rule; None: only counted."""

    key: bytes
    rule: Rule | None


def scope(rule: Rule | None, *parts: str | UUID) -> Scope:
    """A scope by what it is about; only the digest is stored."""
    return Scope(hashlib.sha256("\n".join(map(str, parts)).encode()).digest(), rule)


def network_of(address: str | None) -> str:
    """The /24 (IPv4) or /64 (IPv6) an address lies in: what one customer of a provider holds."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


_READ = """
select scope, failures, extract(epoch from clock_timestamp() - last_at)::float as age_seconds
from login_throttle where scope = any($1)
"""
# In one order, so that two never wait for each other.
_COUNT = """
insert into login_throttle as t (scope, failures, first_at, last_at)
select s.scope, s.failures, clock_timestamp(), clock_timestamp()
from unnest($1::bytea[], $2::integer[]) as s (scope, failures)
order by s.scope
on conflict (scope) do update set
  failures = case when excluded.scope = any($3::bytea[]) then excluded.failures
                  else t.failures + excluded.failures end,
  first_at = case when excluded.scope = any($3::bytea[]) then excluded.first_at else t.first_at end,
  last_at = excluded.last_at
"""


class Throttle:
    """The counts that bear on one attempt."""

    def __init__(self, tx: Tx, email: str, address: str | None, device_id: UUID | None) -> None:
        self._tx = tx
        self._is_known_device = device_id is not None
        self._here = (
            scope(ACCOUNT_HERE, "device", device_id)
            if device_id is not None
            else scope(ACCOUNT_HERE, "account_here", email, network_of(address))
        )
        self._account = scope(None, "account", email)
        # A device that is known counts for itself alone.
        self._scopes = (
            [self._here]
            if self._is_known_device
            else [self._here, scope(NETWORK, "network", network_of(address)), self._account]
        )
        self._read: dict[bytes, asyncpg.Record] = {}

    async def admit(self) -> None:
        """Raise `LoginThrottled` if the caller must wait; the same for known and unknown accounts,
        for it looks only at what was typed."""
        self._read = await _read(self._tx, self._scopes)
        _refuse_waiting(self._scopes, self._read)
        if not self._is_known_device and self._is_under_attack():
            await self._pace()

    def _is_under_attack(self) -> bool:
        row = self._read.get(self._account.key)
        return (
            row is not None
            and row["failures"] > ACCOUNT_FREE
            and row["age_seconds"] < _ACCOUNT_FORGET_SECONDS
        )

    async def _pace(self) -> None:
        row = self._read.get(self._here.key)
        if row is None or row["age_seconds"] > _FORGET_SECONDS:
            await _add(self._tx, [self._here], self._read, failures=0)
            raise LoginThrottled(PACE_SECONDS, keep_writes=True)
        if row["age_seconds"] < PACE_SECONDS:
            raise LoginThrottled(int(PACE_SECONDS - row["age_seconds"]) + 1)

    async def failed(self) -> None:
        """Count a failure in every scope."""
        await _add(self._tx, self._scopes, self._read)

    async def succeeded(self) -> None:
        """Forget the failures of this account here."""
        await self._tx.execute("delete from login_throttle where scope = $1", self._here.key)


async def admit(tx: Tx, *scopes: Scope) -> None:
    """Raise `LoginThrottled` if one of the scopes must wait."""
    _refuse_waiting(scopes, await _read(tx, scopes))


async def count(tx: Tx, *scopes: Scope) -> None:
    """Count a failure in each of the scopes."""
    await _add(tx, scopes, await _read(tx, scopes))


async def _read(tx: Tx, scopes: Sequence[Scope]) -> dict[bytes, asyncpg.Record]:
    return {row["scope"]: row for row in await tx.fetch(_READ, [one.key for one in scopes])}


def _refuse_waiting(scopes: Sequence[Scope], read: dict[bytes, asyncpg.Record]) -> None:
    waits = [
        one.rule.wait_seconds(row["failures"]) - row["age_seconds"]
        for one in scopes
        if one.rule is not None and (row := read.get(one.key)) is not None
    ]
    longest = max(waits, default=0.0)
    if longest > 0:
        raise LoginThrottled(int(longest) + 1)


async def _add(
    tx: Tx,
    scopes: Sequence[Scope],
    read: dict[bytes, asyncpg.Record],
    failures: int = 1,
) -> None:
    keys = [one.key for one in scopes]
    anew = [one.key for one in scopes if _starts_anew(one, read.get(one.key))]
    await tx.execute(_COUNT, keys, [failures] * len(keys), anew)


def _starts_anew(one: Scope, row: asyncpg.Record | None) -> bool:
    if row is None:
        return False
    if one.rule is None:
        return bool(row["age_seconds"] > _ACCOUNT_FORGET_SECONDS)
    return one.rule.is_forgotten(row["failures"], row["age_seconds"])
