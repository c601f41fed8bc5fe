"""What changed between two OpenAPI documents that would break a client written for the first.

Additive by contract: new operations, new optional request fields and parameters, new answer fields,
new values of enums in answers. Everything that takes away or demands more is a break.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
_METHODS = ("get", "put", "post", "patch", "delete")
# Limits of a request: a higher floor or a lower ceiling refuses what was accepted before.
_FLOORS = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_CEILINGS = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every breaking change from `old` to `new`, as one sentence each with its place."""
    return list(_Comparison(old, new).operations())


class _Comparison:
    """One walk over two documents; pairs of models already compared are not compared again."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self.old, self.new = old, new
        self.seen: set[tuple[str, str, bool]] = set()

    def operations(self) -> Iterator[str]:
        for path, methods in self.old["paths"].items():
            for method in _METHODS:
                if method not in methods:
                    continue
                place = f"{method.upper()} {path}"
                later = self.new["paths"].get(path, {}).get(method)
                if later is None:
                    yield f"{place}: the operation is gone"
                else:
                    yield from self._operation(place, methods[method], later)

    def _operation(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{place}: operationId changed to {new.get('operationId')}"
        if old.get("x-permission") != new.get("x-permission"):
            yield f"{place}: needs another permission, {new.get('x-permission')}"
        yield from self._parameters(place, old, new)
        yield from self._body(place, old, new)
        for status, response in old["responses"].items():
            if status not in new["responses"]:
                if status.startswith("2"):
                    yield f"{place}: no longer answers {status}"
                continue
            yield from self._content(f"{place} {status}", response, new["responses"][status])

    def _parameters(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = (
            {(p["in"], p["name"]): p for p in (_resolve(document, one) for one in ones)}
            for document, ones in (
                (self.old, old.get("parameters", [])),
                (self.new, new.get("parameters", [])),
            )
        )
        for key, parameter in before.items():
            where = f"{place} {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{where}: is gone"
                continue
            later = after[key]
            if later.get("required") and not parameter.get("required"):
                yield f"{where}: is now required"
            yield from self._request(where, parameter["schema"], later["schema"])
        for key, parameter in after.items():
            if key not in before and parameter.get("required"):
                yield f"{place} {key[0]} parameter {key[1]}: is new and required"

    def _body(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("requestBody"), new.get("requestBody")
        if after is None:
            if before is not None:
                yield f"{place} body: is no longer accepted"
            return
        if after.get("required") and not (before or {}).get("required"):
            yield f"{place} body: is now required"
        for media_type, content in (before or {}).get("content", {}).items():
            if media_type not in after["content"]:
                yield f"{place} body: {media_type} is no longer accepted"
            else:
                later = after["content"][media_type]["schema"]
                yield from self._request(f"{place} body", content["schema"], later)

    def _content(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield f"{place}: {media_type} is gone"
            else:
                later = new["content"][media_type]["schema"]
                yield from self._response(place, content["schema"], later)

    def _both(self, old: Schema, new: Schema, is_request: bool) -> tuple[Schema, Schema] | None:
        names = old.get("$ref", ""), new.get("$ref", "")
        if any(names):
            key = (*names, is_request)
            if key in self.seen:
                return None
            self.seen.add(key)
        return _resolve(self.old, old), _resolve(self.new, new)

    def _request(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        """Breaks of what a client sends: `new` must accept all that `old` accepted."""
        pair = self._both(old, new, True)
        if pair is None:
            return
        old, new = pair
        if gone := self._types(self.old, old) - self._types(self.new, new):
            yield f"{place}: {', '.join(sorted(gone))} is no longer accepted"
        if "enum" in new or "const" in new:
            values = _values(new)
            gone_values = [v for v in _values(old) if v not in values] if _values(old) else ["any"]
            if gone_values:
                yield f"{place}: only {values} are accepted now"
        if new.get("pattern") not in (None, old.get("pattern")):
            yield f"{place}: must match {new['pattern']} now"
        for name in _FLOORS:
            if new.get(name, old.get(name)) != old.get(name) and new[name] > old.get(name, 0):
                yield f"{place}: {name} rose to {new[name]}"
        for name in _CEILINGS:
            if name in new and (name not in old or new[name] < old[name]):
                yield f"{place}: {name} fell to {new[name]}"
        for name in new.get("required", []):
            if name not in old.get("required", []):
                yield f"{place}/{name}: is required now"
        closed = new.get("additionalProperties") is False
        for name, schema in old.get("properties", {}).items():
            later = new.get("properties", {}).get(name)
            if later is not None:
                yield from self._request(f"{place}/{name}", schema, later)
            elif closed:
                yield f"{place}/{name}: is no longer accepted"
        yield from self._parts(place, old, new, self._request)

    def _response(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        """Breaks of what a client reads: `new` must answer all that `old` promised."""
        pair = self._both(old, new, False)
        if pair is None:
            return
        old, new = pair
        if added := self._types(self.new, new) - self._types(self.old, old):
            yield f"{place}: may be {', '.join(sorted(added))} now"
        for name, schema in old.get("properties", {}).items():
            later = new.get("properties", {}).get(name)
            if later is None:
                yield f"{place}/{name}: is no longer answered"
                continue
            if name in old.get("required", []) and name not in new.get("required", []):
                yield f"{place}/{name}: may be missing now"
            yield from self._response(f"{place}/{name}", schema, later)
        yield from self._parts(place, old, new, self._response)

    def _parts(self, place: str, old: Schema, new: Schema, compare: Any) -> Iterator[str]:
        for name in ("items", "additionalProperties"):
            if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
                yield from compare(f"{place}/*", old[name], new[name])
        # Branches are paired in order: a generator never reorders them by itself.
        for before, after in zip(_branches(old), _branches(new), strict=False):
            yield from compare(place, before, after)

    def _types(self, document: Schema, schema: Schema) -> set[str]:
        schema = _resolve(document, schema)
        if branches := _branches(schema):
            return set().union(*(self._types(document, branch) for branch in branches))
        kinds = schema.get("type", [])
        names = {kinds} if isinstance(kinds, str) else set(kinds)
        return {f"{n}:{schema['format']}" if "format" in schema else n for n in names}


def _branches(schema: Schema) -> list[Schema]:
    return schema.get("anyOf") or schema.get("oneOf") or []


def _values(schema: Schema) -> list[Any]:
    return schema.get("enum") or ([schema["const"]] if "const" in schema else [])


def _resolve(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        kind, name = schema["$ref"].rsplit("/", 2)[1:]
        schema = document["components"][kind][name]
    return schema
