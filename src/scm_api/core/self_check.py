"""What must hold before this program may serve: tenancy, append-only tables, schema, durability.

Rule: every finding says what is wrong, names it, and how to mend it.
"""

from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import make_url

from scm_api.core.migrate import head_revision
from scm_api.settings import Settings

APPEND_ONLY = (
    "audit_entry",
    "audit_seal",
    "event",
    "purchase_order_revision",
    "shortage",
    "stock_document",
    "stock_movement",
)
# Tables of people and of the process itself: without an organization, and under policies all the
# same. The queue's own tables and these few hold nothing of anybody.
WITHOUT_POLICY = ("alembic_version", "feed_offset")
# Read past its policy by one function of its owner, which keeps to the organization by itself
# (migrations/sql/0001_search.sql); nobody can log in as the owner.
NOT_FORCED = ("item_search",)
# The functions that run with their owner's rights, and what fails if they do not; a search path of
# their own keeps anybody from slipping a table of the same name under them.
DEFINERS = {
    "find_items(text[],text[])": "search finds nothing",
    "reset_sandbox(uuid)": "no sandbox can be emptied",
}
OWNER = "scm_owner"
# Whom the transactions of principals confined to warehouses or categories act as.
CONFINED = "scm_limited"
SEARCH_PATH = "search_path=public, pg_temp"
OLDEST_POSTGRES = 17


@dataclass(frozen=True)
class Finding:
    """Something that forbids serving, and the mend."""

    check: str
    what: str
    mend: str


async def self_check(
    driver: asyncpg.Connection, settings: Settings, *, is_embedded: bool
) -> list[Finding]:
    """All findings, over a connection of the role that will serve; empty when all is well.

    Only catalogues are read. `is_embedded` leaves the server's durability to `SCM_DURABLE`.
    """
    found = [
        *_cors(settings),
        *_secrets(settings),
        *await _version(driver),
        *await _role(driver),
        *await _schema(driver),
        *await _row_security(driver),
        *await _foreign_keys(driver),
        *await _append_only(driver),
        *await _definers(driver),
        *await _limits(driver),
    ]
    if not is_embedded:
        found += await _durability(driver)
    return found


def _cors(settings: Settings) -> list[Finding]:
    if not any("*" in origin for origin in settings.cors_origins):
        return []
    return [
        Finding(
            "cors",
            "SCM_CORS_ORIGINS holds a wildcard: any web page could call this API for its visitor.",
            'List the exact origins, such as ["https://erp.example.com"].',
        )
    ]


# Passwords that stand in examples and images: whoever reads them may log in.
_EXAMPLES = frozenset(
    {"change-me", "change-me-admin", "change-me-app", "password", "postgres", "scm", "scm_app"}
)
_SHORTEST_KEY = 32


def _secrets(settings: Settings) -> list[Finding]:
    found = []
    for name, url in (
        ("SCM_DATABASE_URL", settings.database_url),
        ("SCM_MIGRATION_DATABASE_URL", settings.migration_database_url),
    ):
        if url is not None and (make_url(url).password or "").lower() in _EXAMPLES:
            what = f"{name} logs in with a password out of an example."
            mend = "Choose one: openssl rand -base64 24; `scm-api migrate` gives it to scm_app."
            found.append(Finding("secrets", what, mend))
    for name, secret in (
        ("SCM_SEAL_KEY", settings.seal_key),
        ("SCM_OIDC_CLIENT_SECRET", settings.oidc_client_secret),
    ):
        value = None if secret is None else secret.get_secret_value()
        least = _SHORTEST_KEY if name == "SCM_SEAL_KEY" else 8
        if value is not None and (len(value) < least or value.lower() in _EXAMPLES):
            what = f"{name} is too easy to guess: it has {len(value)} characters."
            found.append(Finding("secrets", what, "Use a random one: openssl rand -base64 32."))
    return found


async def _version(driver: asyncpg.Connection) -> list[Finding]:
    major = driver.get_server_version().major
    if major >= OLDEST_POSTGRES:
        return []
    mend = f"Upgrade the server to PostgreSQL {OLDEST_POSTGRES} or later."
    return [Finding("version", f"The server is PostgreSQL {major}.", mend)]


_ROLE = """
select r.rolname, r.rolsuper, r.rolbypassrls, coalesce((
  select array_agg(distinct pg_get_userbyid(c.relowner)::text) from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    and pg_has_role(current_user, c.relowner, 'member')), '{}') as owners
from pg_roles r where r.rolname = current_user
"""


async def _role(driver: asyncpg.Connection) -> list[Finding]:
    role = await driver.fetchrow(_ROLE)
    name = role["rolname"]
    mend = "Let SCM_DATABASE_URL log in as scm_app, which `scm-api migrate` makes."
    if role["rolsuper"]:
        return [Finding("role", f"{name} is a superuser: row-level security is off.", mend)]
    found = []
    if role["rolbypassrls"]:
        found.append(
            Finding(
                "role",
                f"{name} has BYPASSRLS: it sees every organization's rows.",
                f"alter role {name} nobypassrls;",
            )
        )
    if role["owners"]:
        owners = ", ".join(role["owners"])
        found.append(
            Finding("role", f"{name} is, or may become, the owner of the tables ({owners}).", mend)
        )
    return found


async def _schema(driver: asyncpg.Connection) -> list[Finding]:
    head = head_revision()
    mend = "Run `scm-api migrate`."
    if not await driver.fetchval("select to_regclass('public.alembic_version') is not null"):
        return [Finding("migrations", "The database holds no schema yet.", mend)]
    at = await driver.fetchval("select version_num from alembic_version")
    if at == head:
        return []
    return [
        Finding("migrations", f"The database is at revision {at}, this program needs {head}.", mend)
    ]


_ROW_SECURITY = """
select c.relname, c.relrowsecurity, c.relforcerowsecurity,
       (select count(*) from pg_policy p where p.polrelid = c.oid) as policies,
       exists (
         select from pg_policy p where p.polrelid = c.oid and p.polpermissive
           and (coalesce(pg_get_expr(p.polqual, p.polrelid), 'app.organization_id')
                  not like all (array['%app.organization_id%', '%app.system%'])
                and p.polcmd <> 'a')) as is_open
from pg_class c
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
  and c.relname <> all ($1) and c.relname not like 'pgqueuer%'
order by c.relname
"""


async def _row_security(driver: asyncpg.Connection) -> list[Finding]:
    found = []
    for row in await driver.fetch(_ROW_SECURITY, list(WITHOUT_POLICY)):
        table = row["relname"]
        if not row["relrowsecurity"]:
            found.append(
                Finding(
                    "row_security",
                    f"Table {table} has no row-level security: every organization sees all of it.",
                    f'alter table "{table}" enable row level security;',
                )
            )
        if not row["relforcerowsecurity"] and table not in NOT_FORCED:
            found.append(
                Finding(
                    "row_security",
                    f"Row-level security of table {table} does not bind its owner.",
                    f'alter table "{table}" force row level security;',
                )
            )
        if row["is_open"]:
            found.append(
                Finding(
                    "row_security",
                    f"A policy of table {table} does not ask for the organization.",
                    f"Drop that policy; see \\d {table}.",
                )
            )
    return found


_FOREIGN_KEYS = """
select k.conname, k.conrelid::regclass::text as child, k.confrelid::regclass::text as parent
from pg_constraint k
join pg_attribute c on c.attrelid = k.conrelid and c.attname = 'organization_id'
join pg_attribute p on p.attrelid = k.confrelid and p.attname = 'organization_id'
where k.contype = 'f' and k.connamespace = 'public'::regnamespace and not exists (
  select from unnest(k.conkey, k.confkey) as pair(child, parent)
  where pair.child = c.attnum and pair.parent = p.attnum)
order by 2, 1
"""


async def _foreign_keys(driver: asyncpg.Connection) -> list[Finding]:
    return [
        Finding(
            "foreign_keys",
            f"Foreign key {row['conname']} of {row['child']} may point at another organization's "
            f"{row['parent']}.",
            f"Make it again with (organization_id, ...) references {row['parent']} "
            "(organization_id, ...).",
        )
        for row in await driver.fetch(_FOREIGN_KEYS)
    ]


_APPEND_ONLY = """
select t.name, right_.name as privilege
from unnest($1::text[]) as t(name)
cross join unnest(array['UPDATE', 'DELETE', 'TRUNCATE']) as right_(name)
where to_regclass('public.' || t.name) is not null and (
  has_table_privilege('public.' || t.name, right_.name)
  or right_.name = 'UPDATE' and has_any_column_privilege('public.' || t.name, 'UPDATE'))
order by 1, 2
"""


async def _append_only(driver: asyncpg.Connection) -> list[Finding]:
    return [
        Finding(
            "append_only",
            f"The application's role may {row['privilege']} {row['name']}, which is append-only.",
            f"revoke {row['privilege'].lower()} on {row['name']} from scm_app, public;",
        )
        for row in await driver.fetch(_APPEND_ONLY, list(APPEND_ONLY))
    ]


_DEFINERS = """
select p.oid::regprocedure::text as signature, p.prosecdef, pg_get_userbyid(p.proowner) as owner,
       coalesce(p.proconfig, '{}') as config
from pg_proc p
where p.pronamespace = 'public'::regnamespace
  and (p.prosecdef or p.oid = any (
    select to_regprocedure(s) from unnest($1::text[]) as s))
order by 1
"""


async def _definers(driver: asyncpg.Connection) -> list[Finding]:
    found = []
    for row in await driver.fetch(_DEFINERS, list(DEFINERS)):
        name = row["signature"]
        if name not in DEFINERS:
            what = f"Function {name} runs with the rights of {row['owner']}, not its caller's."
            mend = f"alter function {name} security invoker;"
            found.append(Finding("definer", what, mend))
            continue
        if row["owner"] != OWNER or not row["prosecdef"]:
            what = f"Function {name} does not run with the rights of {OWNER}: {DEFINERS[name]}."
            mend = (
                f"alter function {name} owner to {OWNER}; alter function {name} security definer;"
            )
            found.append(Finding("definer", what, mend))
        if SEARCH_PATH not in row["config"]:
            what = f"Function {name} has no fixed search path: its tables may be shadowed."
            mend = f"alter function {name} set search_path = public, pg_temp;"
            found.append(Finding("definer", what, mend))
    return found


_CONFINED = """
select r.rolcanlogin, r.rolsuper or r.rolbypassrls as sees_all,
       pg_has_role(current_user, r.oid, 'SET') as is_ours,
       pg_has_role(current_user, r.oid, 'USAGE') as is_inherited, coalesce((
         select array_agg(format('%s on %s', right_.name, c.relname) order by c.relname)
         from pg_class c
         cross join unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) as right_(name)
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and has_table_privilege(r.oid, c.oid, right_.name)
           and not has_table_privilege(c.oid, right_.name)), '{}') as more
from pg_roles r where r.rolname = $1
"""
# Rows that say whose item or which warehouse they are about need all four policies.
_UNLIMITED = """
select c.relname from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and exists (
    select from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
      and a.attname in ('item_id', 'warehouse_id'))
  and 4 > (
    select count(distinct p.polcmd) from pg_policy p
    where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('r', 'a', 'w', 'd')
      and p.polroles = array[to_regrole($1)::oid])
order by 1
"""


async def _limits(driver: asyncpg.Connection) -> list[Finding]:
    role = await driver.fetchrow(_CONFINED, CONFINED)
    if role is None:
        what = f"There is no role {CONFINED}: callers confined to warehouses are refused."
        return [Finding("limits", what, "Run `scm-api migrate`.")]
    found = [
        Finding("limits", f"{CONFINED} {what}", f"{mend};")
        for is_wrong, what, mend in (
            (role["rolcanlogin"], "may log in.", f"alter role {CONFINED} nologin"),
            (
                role["sees_all"],
                "has BYPASSRLS or is a superuser: nobody is confined.",
                f"alter role {CONFINED} nosuperuser nobypassrls",
            ),
            (
                not role["is_ours"],
                "is a role that this program may not act as.",
                f"grant {CONFINED} to scm_app with inherit false, set true",
            ),
            (
                role["is_inherited"],
                "is inherited by this program: its policies bind every caller.",
                f"grant {CONFINED} to scm_app with inherit false, set true",
            ),
        )
        if is_wrong
    ]
    for privilege in role["more"]:
        what = f"{CONFINED} may {privilege}, which the application's role may not."
        found.append(Finding("limits", what, f"revoke {privilege.lower()} from {CONFINED};"))
    for row in await driver.fetch(_UNLIMITED, CONFINED):
        table = row["relname"]
        what = f"Table {table} has no policies for {CONFINED}: limits do not bind there."
        mend = f"select limit_table('{table}', ...); see migrations/sql/0002_limits.sql."
        found.append(Finding("limits", what, mend))
    return found


_DURABILITY = """
select name, setting from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name
"""


async def _durability(driver: asyncpg.Connection) -> list[Finding]:
    return [
        Finding(
            "durability",
            f"{row['name']} is off: an answered write can be lost in a crash.",
            f"alter system set {row['name']} = on; select pg_reload_conf();",
        )
        for row in await driver.fetch(_DURABILITY)
    ]
