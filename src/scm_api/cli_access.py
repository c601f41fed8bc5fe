"""`scm-api organizations`, `keys` and `users`: who may use the API. Secrets are shown once."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scm_api.access import service as access
from scm_api.access.catalogue import known_permissions
from scm_api.access.permissions import EVERYTHING, TEMPLATES
from scm_api.core.errors import NotFound
from scm_api.core.tx import Limits
from scm_api.serving import in_system
from scm_api.settings import settings
from scm_api.users.links import NewLink
from scm_api.users.people import invite_first
from scm_api.users.recovery import reset_by_operator

organizations = typer.Typer(help="Organizations: each sees only its own data.")
keys = typer.Typer(help="API keys of an organization.")
users = typer.Typer(help="People of an organization.")
console = Console(soft_wrap=True, highlight=False)

Organization = Annotated[str, typer.Option("--organization", "-o", help="Code.")]


@organizations.command("create")
def create_organization(
    code: str,
    name: Annotated[str, typer.Option(help="Name; the code if absent.")] = "",
    currency: Annotated[str, typer.Option(help="ISO 4217 code of its books.")] = "CNY",
    time_zone: Annotated[str, typer.Option(help="IANA time zone of its days.")] = "UTC",
    group: Annotated[str, typer.Option(help="Code of the group it belongs to.")] = "",
    sandbox: Annotated[bool, typer.Option("--sandbox", help="For trying: can be emptied.")] = False,
) -> None:
    """Create an organization; a group that does not exist yet is made with it."""

    async def work(connection: asyncpg.Connection) -> UUID:
        organization_id = await access.create_organization(
            connection,
            code=code,
            name=name or code,
            base_currency=currency,
            time_zone=time_zone,
            is_sandbox=sandbox,
        )
        if group:
            await access.join_group(connection, organization_id, group)
        return organization_id

    console.print(f"Created organization {escape(code)} ({in_system(work)}).")


@organizations.command("list")
def list_organizations() -> None:
    """List the organizations."""
    rows = in_system(
        lambda connection: connection.fetch(
            """
            select o.code, o.name, g.code, case when o.is_sandbox then 'yes' end, o.base_currency,
                   o.time_zone, o.created_at
            from organization o left join organization_group g on g.id = o.group_id order by 1
            """
        )
    )
    _show(["code", "name", "group", "sandbox", "currency", "time zone", "created"], rows)


@organizations.command("group")
def group_organization(
    code: Annotated[str, typer.Argument(help="Code of the organization.")],
    group: Annotated[str, typer.Argument(help="Code of the group.")],
    name: Annotated[str | None, typer.Option(help="Name of the group.")] = None,
) -> None:
    """Put an organization into a group, which is made if there is none with this code."""

    async def work(connection: asyncpg.Connection) -> None:
        organization_id = await access.find_organization(connection, code)
        await access.join_group(connection, organization_id, group, name)

    in_system(work)
    console.print(f"{escape(code)} belongs to {escape(group)}.")


@keys.command("create")
def create_key(
    organization: Organization = "main",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    role: Annotated[list[str] | None, typer.Option(help="Such as buyer; repeat it.")] = None,
    permission: Annotated[
        list[str] | None,
        typer.Option(help="Such as items:read; repeat it. All, if no role is given either."),
    ] = None,
    warehouse: Annotated[
        list[str] | None, typer.Option(help="Code of a warehouse it is limited to; repeat it.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
) -> None:
    """Create an API key and show it, this once."""
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    permissions = permission or ([] if role else ["*"])

    async def work(connection: asyncpg.Connection) -> access.NewKey:
        organization_id = await access.find_organization(connection, organization)
        roles = await _known(connection, organization_id, role or [], permissions)
        places = await access.warehouse_ids(connection, organization_id, warehouse or [])
        return await access.create_key(
            connection,
            organization_id,
            name=name,
            permissions=permissions,
            roles=roles,
            limits=Limits(warehouses=frozenset(places) if warehouse else None),
            expires_at=expires_at,
        )

    key = in_system(work)
    console.print(f"Key {key.id}, shown only this once:\n{key.token}")


async def _known(
    connection: asyncpg.Connection, organization_id: UUID, roles: list[str], permissions: list[str]
) -> list[str]:
    """The roles in lower case, if they and the permissions exist."""
    for one in permissions:
        if one not in known_permissions() | {EVERYTHING}:
            raise NotFound(kind="permission", reference=one)
    known = TEMPLATES.keys() | await access.own_role_codes(connection, organization_id)
    for one in roles:
        if one.lower() not in known:
            raise NotFound(kind="role", reference=one)
    return [one.lower() for one in roles]


@keys.command("list")
def list_keys(organization: Organization = "main") -> None:
    """List the keys of an organization; the secrets are not kept."""

    async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(
            """
            select id, name, array_to_string(roles || permissions, ', '), created_at,
                   last_used_at, expires_at, revoked_at
            from api_key where organization_id = $1 order by created_at
            """,
            await access.find_organization(connection, organization),
        )
        return rows

    _show(
        ["id", "name", "roles and permissions", "created", "last used", "expires", "revoked"],
        in_system(work),
    )


@keys.command("rotate")
def rotate_key(
    key_id: UUID,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=168, help="Hours the old secret goes on to be accepted.")
    ] = 0,
) -> None:
    """Give a key a new secret and show it, this once."""
    key = in_system(
        lambda connection: access.rotate_key(
            connection, key_id, overlap=timedelta(hours=overlap_hours)
        )
    )
    console.print(f"Key {key.id}, shown only this once:\n{key.token}")


@keys.command("revoke")
def revoke_key(key_id: UUID) -> None:
    """Revoke a key; every process refuses it within a second."""
    in_system(lambda connection: access.revoke_key(connection, key_id))
    console.print(f"Revoked {key_id}.")


@users.command("create")
def create_user(
    email: Annotated[str, typer.Option(help="Address of the person.")],
    organization: Organization = "main",
    role: Annotated[str, typer.Option(help="Such as admin or buyer.")] = "admin",
    name: Annotated[str, typer.Option(help="Name; the address if absent.")] = "",
) -> None:
    """Invite a person, such as the first administrator; who is one invites others over the API."""

    async def work(connection: asyncpg.Connection) -> NewLink:
        organization_id = await access.find_organization(connection, organization)
        (known,) = await _known(connection, organization_id, [role], [])
        return await invite_first(
            connection, organization_id, email=email, name=name or email, role=known
        )

    link = in_system(work)
    console.print(f"Invited {escape(email)}. {_once(link, 'POST /v1/invitations/accept')}")


@users.command("reset")
def reset_user(
    email: Annotated[str, typer.Option(help="Address of the person.")],
    remove_totp: Annotated[
        bool,
        typer.Option("--remove-totp", help="Take off the second factor and end the sessions, too."),
    ] = False,
) -> None:
    """Let somebody who is locked out choose a new password, of whatever organizations he is. Make
    sure that it is him: whoever holds the link becomes him."""
    link = in_system(lambda connection: reset_by_operator(connection, email, also_totp=remove_totp))
    console.print(f"Reset {escape(email)}. {_once(link, 'POST /v1/password-resets')}")


def _once(link: NewLink, operation: str) -> str:
    shown = link.url(settings().public_url) or link.token
    return (
        f"For {operation}, until {link.expires_at:%Y-%m-%d %H:%M} UTC, shown only this once:\n"
        f"{shown}"
    )


def _show(head: list[str], rows: list[asyncpg.Record]) -> None:
    table = Table(*head)
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row))
    Console(width=None if console.is_terminal else 220).print(table)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "" if value is None else str(value)
