"""Use cases of organizations: one's own, the current one's settings, new ones, and groups."""

from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import asyncpg

from scm_api.access import service as access
from scm_api.access.permissions import EVERYTHING, permissions_of
from scm_api.access.service import UNKNOWN_TIME_ZONE, NewKey
from scm_api.access.system_view import system_view
from scm_api.core import limits
from scm_api.core.errors import Duplicate, Invalid, PermissionDenied, VersionMismatch
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import UNLIMITED, Tx
from scm_api.organizations import errors, repository
from scm_api.organizations.events import OrganizationChanged
from scm_api.organizations.schemas import (
    WEEK,
    GroupMember,
    GroupRead,
    MyOrganizationFilter,
    OrganizationCreate,
    OrganizationPatch,
    OrganizationRead,
)

WRITE = "organizations:write"
# Settings that cannot change once something was built on them.
_OF_PERIODS = ("time_zone", "fiscal_year_start_month")


def read(row: asyncpg.Record) -> OrganizationRead:
    """An organization as its readers see it."""
    week = [day for day, worked in zip(WEEK, row["work_week"], strict=True) if worked == "1"]
    return OrganizationRead.model_validate({**row, "work_week": week})


async def list_mine(tx: Tx, wanted: MyOrganizationFilter) -> PageOf:
    """(organization, group code, roles) of those the caller belongs to."""
    return await repository.list_mine(tx, wanted)


async def list_my_groups(tx: Tx) -> list[GroupRead]:
    """The groups of the caller's organizations, with no others in them."""
    groups: dict[UUID, GroupRead] = {}
    for row in await repository.list_my_groups(tx):
        group = groups.setdefault(
            row["id"], GroupRead(id=row["id"], code=row["code"], name=row["name"], organizations=[])
        )
        group.organizations.append(
            GroupMember(
                id=row["organization_id"],
                code=row["organization_code"],
                name=row["organization_name"],
            )
        )
    return list(groups.values())


async def current(tx: Tx) -> asyncpg.Record:
    """The organization of the call."""
    return await repository.find(tx, tx.organization_id)


async def create(tx: Tx, body: OrganizationCreate) -> tuple[asyncpg.Record, NewKey | None]:
    """Create an organization. A person becomes its administrator; for a key, a first key is made.

    Raises `PermissionDenied` unless the caller has every permission where he is, so that nobody
    makes himself more than he was; `Duplicate`, `Invalid`.
    """
    principal = tx.principal
    if not principal.may(EVERYTHING) or principal.limits != UNLIMITED:
        raise PermissionDenied(required_permission=EVERYTHING)
    group_id = (await current(tx))["group_id"]
    async with system_view(tx):
        if body.group is not None:
            group_id = await _group(tx, body.group, group_id)
        organization_id = await access.create_organization(
            tx.driver,
            code=body.code,
            name=body.name,
            base_currency=body.base_currency,
            time_zone=body.time_zone,
            group_id=group_id,
            is_sandbox=body.is_sandbox,
        )
        key = None
        if principal.user_id is None:
            key = await access.create_key(tx.driver, organization_id, name="first key")
        else:
            await repository.make_admin(tx, organization_id, uuid7(), principal.user_id)
        return await repository.find(tx, organization_id), key


async def change(
    tx: Tx, body: OrganizationPatch, if_match: Versions | None
) -> tuple[asyncpg.Record, bool]:
    """Change settings; also tells whether anything did. Raises `VersionMismatch`, `SettingInUse`,
    `Duplicate`, `Invalid`, `OutsideLimits`."""
    limits.require_unconfined(tx)
    row = await current(tx)
    check_version(row["version"], if_match, body.version)
    wanted = body.model_dump(exclude={"version"}, exclude_unset=True)
    if "work_week" in wanted:
        wanted["work_week"] = "".join("01"[day in wanted["work_week"]] for day in WEEK)
    if "time_zone" in wanted and wanted["time_zone"] not in available_timezones():
        zone = wanted["time_zone"]
        raise Invalid([UNKNOWN_TIME_ZONE.at("/time_zone", time_zone=zone)])
    changed = {name: value for name, value in wanted.items() if row[name] != value}
    if not changed:
        return row, False
    await _check_free(tx, changed)
    values = {name: value for name, value in changed.items() if name != "group"}
    async with system_view(tx):
        if "group" in changed:
            values["group_id"] = await _group(tx, changed["group"], row["group_id"])
        if not await repository.update(tx, row["version"], values):
            raise VersionMismatch(current_version=row["version"] + 1)
        if "group" in changed and row["group_id"] is not None:
            await repository.delete_empty_group(tx, row["group_id"])
    changes = {name: {"old": _plain(row[name]), "new": _plain(changed[name])} for name in changed}
    tx.emit(OrganizationChanged(tx.organization_id, code=row["code"], changes=changes))
    return await current(tx), True


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str) else str(value)


async def _check_free(tx: Tx, changed: dict[str, Any]) -> None:
    """Raise `SettingInUse` for a setting that something was built on."""
    of_periods = [name for name in _OF_PERIODS if name in changed]
    if "base_currency" in changed or of_periods:
        await repository.lock_books(tx)
    if "base_currency" in changed and await repository.has_documents(tx):
        raise errors.SettingInUse(field="base_currency", because=errors.HAS_DOCUMENTS)
    if of_periods and await repository.latest_closed(tx) is not None:
        raise errors.SettingInUse(field=of_periods[0], because=errors.HAS_CLOSED_PERIODS)


async def _group(tx: Tx, code: str | None, own: UUID | None) -> UUID | None:
    """The group with a code, for an organization of the group `own`; a new one if nobody has it.

    Raises `Duplicate` for a group of others: to belong to it takes an organization in it whose
    settings the caller may change.
    """
    if code is None:
        return None
    group_id = await repository.lock_group(tx, code)
    if group_id is None:
        group_id = uuid7()
        if await repository.insert_group(tx, group_id, code):
            return group_id
    elif group_id == own or await _may_join(tx, group_id):
        return group_id
    raise Duplicate(kind="organization group", field="code", value=code)


async def _may_join(tx: Tx, group_id: UUID) -> bool:
    principal = tx.principal
    if principal.user_id is None or principal.key_id is not None:
        # A key belongs to one organization only, and its group is known.
        return False
    for row in await repository.roles_in_group(tx, principal.user_id, group_id):
        granted = permissions_of(row["roles"], row["own"])
        if granted & {EVERYTHING, WRITE}:
            return True
    return False
