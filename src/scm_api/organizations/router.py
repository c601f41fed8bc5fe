"""HTTP of organizations, their groups and sandboxes."""

from typing import Annotated

from fastapi import Query

from scm_api.core.errors import Duplicate, OutsideLimits, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyTo, operation, router
from scm_api.core.job_errors import TooManyJobs
from scm_api.core.operation_route import SELF
from scm_api.organizations import sandbox_service, service
from scm_api.organizations.errors import NotASandbox, SettingInUse
from scm_api.organizations.schemas import (
    FirstKey,
    GroupList,
    MyOrganization,
    MyOrganizationFilter,
    MyOrganizationList,
    OrganizationCreate,
    OrganizationCreated,
    OrganizationPatch,
    OrganizationRead,
    SandboxResetAccepted,
    SandboxResetLinks,
    SandboxResetRequest,
)

organizations = router("organizations")
groups = router("organization-groups")
sandbox = router("sandbox")


@organizations.get("", summary="List one's organizations", **operation(SELF))
async def list_(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[MyOrganizationFilter, Query()]
) -> MyOrganizationList:
    """The organizations the caller belongs to, by code, with the caller's roles. A key belongs to
    one."""
    page = await service.list_mine(tx, wanted)
    reply.next_page(page.next_cursor)
    return MyOrganizationList(
        **page.body(
            [
                MyOrganization(
                    id=found.id,
                    code=found.code,
                    name=found.name,
                    base_currency=found.base_currency,
                    time_zone=found.time_zone,
                    group=group,
                    is_sandbox=found.is_sandbox,
                    roles=roles,
                    is_current=found.id == tx.organization_id,
                )
                for found, group, roles, *_ in page.rows
            ]
        )
    )


@organizations.post(
    "",
    status_code=201,
    summary="Create an organization",
    **operation("organizations:create", errors=[Duplicate], secrets=["api_key"]),
)
async def create(tx: OpenTx, reply: ReplyTo, body: OrganizationCreate) -> OrganizationCreated:
    """Create an organization beside one's own. It takes every permission there (`*`). A person
    becomes its administrator; for a key, the answer holds the first key of the new one, this once.
    `Location` is its settings: a person reads them with `Scm-Organization`, else the new key does.
    """
    row, key = await service.create(tx, body)
    reply.created("/v1/organizations/current", row["version"])
    return OrganizationCreated(
        organization=service.read(row),
        api_key=None if key is None else FirstKey(id=key.id, name=key.name, token=key.token),
    )


@organizations.get("/current", summary="Read the settings", **operation("organizations:read"))
async def get(tx: OpenTx, reply: ReplyTo) -> OrganizationRead:
    """The organization of this call with its settings."""
    row = await service.current(tx)
    reply.etag(row["version"])
    return service.read(row)


@organizations.patch(
    "/current",
    summary="Change the settings",
    **operation(
        "organizations:write", errors=[VersionMismatch, SettingInUse, Duplicate, OutsideLimits]
    ),
)
async def change(
    tx: OpenTx, reply: ReplyTo, body: OrganizationPatch, if_match: IfMatch
) -> OrganizationRead:
    """Change some settings (JSON Merge Patch). `group` joins a group by its code: a new one, or one
    in which the caller may change another organization's settings."""
    row, _ = await service.change(tx, body, if_match)
    reply.etag(row["version"])
    return service.read(row)


@groups.get("", name="list", summary="List one's groups", **operation(SELF))
async def list_groups(tx: OpenTx) -> GroupList:
    """The groups of the caller's organizations; of each only the organizations the caller belongs
    to."""
    return GroupList(data=await service.list_my_groups(tx))


@sandbox.post(
    "/reset",
    status_code=202,
    summary="Empty the sandbox",
    **operation("sandbox:reset", errors=[NotASandbox, OutsideLimits, TooManyJobs]),
)
async def reset(tx: OpenTx, reply: ReplyTo, body: SandboxResetRequest) -> SandboxResetAccepted:
    """Remove all business of this sandbox in the background: master data, stock, orders, plans,
    alerts, events and the trail. Settings, holidays, number rules, people, roles and keys stay;
    counting begins again at 1. Fails while other jobs run."""
    job_id = await sandbox_service.start(tx, body)
    reply.accepted(f"/v1/jobs/{job_id}")
    return SandboxResetAccepted(
        id=job_id,
        kind=sandbox_service.JOB,
        status="queued",
        links=SandboxResetLinks(job=f"/v1/jobs/{job_id}"),
    )
