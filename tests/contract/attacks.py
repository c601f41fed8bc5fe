"""Attacks of one organization on another: its ids in every place that takes one, and what of it an
answer may not tell."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx

from scm_api.core.db import Base
from tests.contract.spec import Call, Operation, resolve, walk
from tests.contract.world import digest
from tests.support import Client
from tests.users.people import Person, invite, join, new_email

MARK = " Top-Secret-7f3a"
TENANT_TABLES = [t for t in Base.metadata.sorted_tables if "organization_id" in t.c]
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


# Ids that the world sets itself are the same in every organization.
_FIXED = ("01900000", "019ab0c2")
# What belongs to people, and by which column. Who failed to log in, and how often, is not here: it
# is written of whoever is attacked.
OF_PEOPLE = {
    "user_account": "id",
    "user_credential": "user_id",
    "user_session": "user_id",
    "user_identity": "user_id",
    "one_time_link": "user_id",
    "known_device": "user_id",
}


@dataclass
class Victim:
    """The organization whose rows nobody else may see: a member and his ways in, somebody invited,
    the ids of all by table, and the sums of their rows."""

    api: Client
    code: str
    group: str
    member: Person
    invited: dict[str, Any]
    ids: dict[str, list[str]] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)

    @property
    def people(self) -> list[UUID]:
        return [self.member.id, UUID(self.invited["id"])]

    @property
    def names(self) -> list[str]:
        """By which requests may name it."""
        return [self.code, self.code.upper(), str(self.api.organization_id)]

    @property
    def all_ids(self) -> set[str]:
        return {id for ids in self.ids.values() for id in ids} | {str(self.api.organization_id)}

    def one_of_each(self) -> list[str]:
        return [ids[0] for ids in self.ids.values()]

    def tokens(self) -> dict[str, str]:
        """Secrets of its people, by what they are called in the answers that showed them."""
        return {
            "access_token": self.member.tokens["access_token"],
            "refresh_token": self.member.tokens["refresh_token"],
            "invitation_token": self.invited["invitation_token"],
        }


async def victim(api: Client, admin: asyncpg.Connection) -> Victim:
    """An organization with the example world in it as a victim: in a group, with people."""
    group = f"group-{uuid4().hex[:8]}"
    made = await admin.fetchval(
        "insert into organization_group (id, code, name) values (gen_random_uuid(), $1, $2) "
        "returning id",
        group,
        f"Group{MARK}",
    )
    code = await admin.fetchval(
        "update organization set group_id = $2 where id = $1 returning code",
        api.organization_id,
        made,
    )
    member = await join(api, ["admin"], name=f"Li Wei{MARK}")
    invited = await invite(api, new_email(), ["buyer"], name=f"Wang Fang{MARK}")
    found = Victim(api, code, group, member, invited)
    await _look(admin, found)
    found.sums = await sums(admin, found)
    return found


async def _look(admin: asyncpg.Connection, of: Victim) -> None:
    """Take down the ids of its rows, at most 20 a table, and of its people's."""
    ids = defaultdict(list)
    by_organization = [(t.name, "organization_id") for t in TENANT_TABLES if "id" in t.c]
    keys = [of.api.organization_id, *of.people]
    tables = Base.metadata.tables
    by_person = [(name, by) for name, by in OF_PEOPLE.items() if "id" in tables[name].c]
    for table, column in [*by_organization, *by_person]:
        rows = await admin.fetch(
            f"select id from {table} where {column} = any($1) order by id limit 20", keys
        )
        ids[table] = [str(r["id"]) for r in rows if not str(r["id"]).startswith(_FIXED)]
    of.ids = {table: found for table, found in ids.items() if found}


async def sums(admin: asyncpg.Connection, of: Victim) -> dict[str, str]:
    """What each table holds of the organization and of its people, as one checksum a table."""
    found = await digest(admin, of.api.organization_id)
    for table, column in OF_PEOPLE.items():
        found[table] = await _sum(admin, f"{table} t where {column} = any($1)", of.people)
    # Anybody may invite anybody to an organization of his own; those links are not looked at.
    links = "one_time_link t where for_organization_id = any($1)"
    found["one_time_link"] = await _sum(admin, links, [of.api.organization_id])
    tokens = """
    session_token t where session_id in (select id from user_session where user_id = any($1))
    """
    found["session_token"] = await _sum(admin, tokens, of.people)
    found["organization"] = await _sum(
        admin, "organization t where id = any($1)", [of.api.organization_id]
    )
    return found


async def _sum(admin: asyncpg.Connection, rows: str, ids: list[UUID]) -> str:
    sql = f"select md5(coalesce(string_agg(t::text, e'\\n' order by t::text), '')) from {rows}"
    found: str = await admin.fetchval(sql, ids)
    return found


def _swapped(value: Any, replacement: Any) -> Iterator[Any]:
    """A body once for every reference and every UUID in it, with that one replaced."""
    if isinstance(value, dict):
        if set(value) in ({"sku"}, {"code"}, {"number"}, {"id"}):
            yield {"id": replacement}
        for name, child in value.items():
            for swapped in _swapped(child, replacement):
                yield {**value, name: swapped}
    elif isinstance(value, list):
        for index, child in enumerate(value):
            for swapped in _swapped(child, replacement):
                yield [*value[:index], swapped, *value[index + 1 :]]
    elif isinstance(value, str) and _UUID.fullmatch(value):
        yield replacement


def _optional_ids(operation: Operation, body: Any, replacement: str) -> Iterator[Any]:
    """The body with each optional field of its model that is a UUID or a reference added."""
    model = resolve(operation.body_schema or {})
    for name, schema in model.get("properties", {}).items():
        if name in body:
            continue
        for _, part in walk(schema):
            if part.get("format") == "uuid":
                yield {**body, name: replacement}
                yield {**body, name: [replacement]}
            elif resolve(part).get("properties", {}).get("id", {}) and "$ref" in part:
                yield {**body, name: {"id": replacement}}


def text_parameters(operation: Operation) -> Iterator[str]:
    """Query parameters that could name a row: texts and UUIDs, not dates, numbers or choices."""
    for parameter in operation.parameters:
        if parameter["in"] == "query" and parameter["name"] not in ("cursor", "after"):
            for _, schema in walk(parameter["schema"]):
                is_text = schema.get("type") == "string" and not schema.keys() & {"enum", "const"}
                if is_text and schema.get("format") in (None, "uuid"):
                    yield parameter["name"]
                    break


_TOKEN = re.compile(r"scm_[a-z]{2}_[^_]+_.+")
NOT_FOUND, REFUSED = frozenset({404, 422}), frozenset(range(400, 500))
# A request, and the statuses that alone are right; any below 500 where there are none.
Attack = tuple[Call, frozenset[int]]


def attacks(operation: Operation, call: Call, victim: Victim) -> Iterator[Attack]:
    """The example with something of the victim's in one place."""
    for theirs in victim.one_of_each():
        for name in call.path:
            yield replace(call, path={**call.path, name: theirs}), NOT_FOUND
        if call.body is not None:
            for body in _swapped(call.body, theirs):
                yield replace(call, body=body), frozenset()
            for body in _optional_ids(operation, call.body, theirs):
                yield replace(call, body=body), frozenset()
        for name in text_parameters(operation):
            yield call.with_(query={name: theirs}), frozenset()
    yield from _by_name(operation, call, victim)


def _by_name(operation: Operation, call: Call, victim: Victim) -> Iterator[Attack]:
    """The example with the name of the victim, an e-mail of its people, or a token of theirs but
    for its secret."""
    across = {p["name"] for p in operation.parameters} & {"organization", "organization_group"}
    for name in victim.names:
        yield call.with_(headers={"Scm-Organization": name}), frozenset()
        if across:
            yield call.with_(query={"organization": name}), frozenset({422})
    if across:
        yield call.with_(query={"organization_group": victim.group}), frozenset({422})
    for name, value in (call.body or {}).items():
        if name == "email":
            guess = {"password": "no password of theirs"} if "password" in call.body else {}
            body = {**call.body, name: victim.member.email, **guess}
            yield replace(call, body=body), frozenset()
        if isinstance(value, str) and _TOKEN.fullmatch(value):
            for token in victim.tokens().values():
                yield replace(call, body={**call.body, name: forged(token, value)}), REFUSED
    if "authorization" in {name.lower() for name in call.headers}:
        token = forged(victim.member.tokens["access_token"])
        yield call.with_(headers={"Authorization": f"Bearer {token}"}), frozenset({401})


def forged(token: str, mine: str = "") -> str:
    """A token with the public part of another and a secret that is not its own: that of `mine` if
    it opens a session too."""
    secret = mine.split("_", 3)[3] if mine.startswith(("scm_at", "scm_rt")) else "A" * 43
    return "_".join([*token.split("_", 3)[:3], secret])


def leaks(response: httpx.Response, call: Call, victim: Victim) -> set[str]:
    """What the answer tells of the victim beyond what the caller sent."""
    sent = f"{call.url} {call.query} {call.headers} {call.body}"
    told = set(_UUID.findall(response.text)) & (victim.all_ids - set(_UUID.findall(sent)))
    if victim.member.email in sent:
        # Who knows an e-mail may invite its owner, under the id that his account has.
        told.discard(str(victim.member.id))
    words = {victim.code, victim.group, victim.member.email, victim.invited["email"]}
    return told | {w for w in {MARK.strip(), *words} if w in response.text and w not in sent}
