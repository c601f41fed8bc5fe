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


class Victim:
    """The organization whose rows nobody else may see: its ids by table, and its row sums."""

    def __init__(self, api: Client, ids: dict[str, list[str]], sums: dict[str, str]) -> None:
        self.api, self.ids, self.sums = api, ids, sums
        self.all_ids = {id for ids in ids.values() for id in ids} | {str(api.organization_id)}

    def one_of_each(self) -> list[str]:
        return [ids[0] for ids in self.ids.values()]



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


def _text_parameters(operation: Operation) -> Iterator[str]:
    """Query parameters that could name a row: texts and UUIDs, not dates, numbers or choices."""
    for parameter in operation.parameters:
        if parameter["in"] == "query" and parameter["name"] not in ("cursor", "after"):
            for _, schema in walk(parameter["schema"]):
                is_text = schema.get("type") == "string" and not schema.keys() & {"enum", "const"}
                if is_text and schema.get("format") in (None, "uuid"):
                    yield parameter["name"]
                    break


def _attacks(operation: Operation, call: Call, victim: Victim) -> Iterator[tuple[Call, bool]]:
    """The example with an id of the victim in one place, and whether that must be refused."""
    for theirs in victim.one_of_each():
        for name in call.path:
            yield replace(call, path={**call.path, name: theirs}), True
        if call.body is not None:
            for body in _swapped(call.body, theirs):
                yield replace(call, body=body), False
            for body in _optional_ids(operation, call.body, theirs):
                yield replace(call, body=body), False
        for name in _text_parameters(operation):
            yield call.with_(query={name: theirs}), False


def _leaks(response: httpx.Response, call: Call, victim: Victim) -> set[str]:
    """What the answer tells of the victim beyond what the caller sent."""
    sent = set(_UUID.findall(f"{call.url} {call.query} {call.body}"))
    told = (set(_UUID.findall(response.text)) & victim.all_ids) - sent
    return told | ({MARK} if MARK.strip() in response.text else set())


