"""Turning every kind of failure into a problem document in the caller's language."""

from collections.abc import Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from scm_api.core.errors import (
    MOST_ERRORS,
    NOT_A_BOOLEAN,
    BodyTooLarge,
    FieldError,
    Invalid,
    Malformed,
    MethodNotAllowed,
    Problem,
    RouteNotFound,
    Rule,
    Text,
    UnsupportedMediaType,
)
from scm_api.core.language import language_of
from scm_api.core.rules import RULE


class ProblemError(BaseModel):
    """One broken rule: where (`pointer` into the body, or `parameter`), its stable code, words."""

    pointer: str | None = Field(default=None, description="JSON pointer, e.g. #/lines/0/quantity")
    parameter: str | None = Field(default=None, description="Path, query or header parameter")
    code: str
    detail: str
    params: dict[str, Any] = Field(default_factory=dict)


class ProblemDocument(BaseModel):
    """RFC 9457 problem details. Decide by `code`; show `detail`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "https://scm-api.dev/problems/insufficient-stock",
                    "title": "Insufficient stock",
                    "status": 409,
                    "detail": "1 line asks for more than is available.",
                    "instance": "/v1/stock-movements",
                    "code": "insufficient_stock",
                    "request_id": "019ab0c2d0a07000b0c1a2b3c4d5e6f7",
                    "retryable": False,
                    "errors": [
                        {
                            "pointer": "#/lines/0/quantity",
                            "code": "exceeds_available",
                            "detail": "12.0000 are available; 20.0000 requested.",
                            "params": {"available": "12.0000", "requested": "20.0000"},
                        }
                    ],
                }
            ]
        },
    )

    type: str = Field(description="A URI of the problem's page.")
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="Stable snake_case code; the registry is GET /v1/problems.")
    request_id: str
    retryable: bool
    errors: list[ProblemError]


def error_response(request: Request, problem: Problem) -> Response:
    """The answer for a problem: body, language, and the problem's own headers."""
    language = language_of(request)
    request_id = request.scope.get("state", {}).get("request_id", "")
    sees_costs = getattr(request.state, "sees_costs", False)
    body = problem.body(language, request.url.path, request_id, sees_costs=sees_costs)
    return Response(
        to_json(body),
        problem.status,
        headers={
            "Content-Language": language,
            "Vary": "Accept-Language",
            **problem.headers,
        },
        media_type="application/problem+json",
    )


def from_http(error: HTTPException) -> Problem:
    """The problem for an exception of the framework itself."""
    if error.status_code == 404:
        return RouteNotFound()
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return MethodNotAllowed(headers={"Allow": allow}, allow=allow)
    if error.status_code == 413:
        return BodyTooLarge(limit_bytes=0)
    if error.status_code == 415:
        return UnsupportedMediaType()
    return Malformed(reason=Text("The request could not be read.", "无法读取请求。"))


# What Pydantic's error types mean, in our words; the input is never echoed.
_RULES: dict[str, Rule] = {
    kind: Rule(code, Text(en, zh))
    for kind, code, en, zh in (
        ("missing", "required", "This field is required.", "此字段必填。"),
        ("extra_forbidden", "unknown_field", "This field is not known here.", "此字段不存在。"),
        ("string_type", "not_a_string", "Must be a string.", "须为字符串。"),
        ("string_too_short", "too_short", "At least {min_length} characters.", "至少 {min_length} 个字符。"),
        ("string_too_long", "too_long", "At most {max_length} characters.", "最多 {max_length} 个字符。"),
        ("string_pattern_mismatch", "wrong_pattern", "Must match {pattern}.", "须符合格式 {pattern}。"),
        ("too_short", "too_few", "At least {min_length} entries.", "至少 {min_length} 项。"),
        ("too_long", "too_many", "At most {max_length} entries.", "最多 {max_length} 项。"),
        ("greater_than", "too_small", "Must be greater than {gt}.", "须大于 {gt}。"),
        ("greater_than_equal", "too_small", "Must be at least {ge}.", "须不小于 {ge}。"),
        ("less_than", "too_large", "Must be less than {lt}.", "须小于 {lt}。"),
        ("less_than_equal", "too_large", "Must be at most {le}.", "须不大于 {le}。"),
        ("decimal_max_places", "too_many_decimals", "At most {decimal_places} decimal places.", "最多 {decimal_places} 位小数。"),
        ("decimal_max_digits", "too_many_digits", "At most {max_digits} digits.", "最多 {max_digits} 位数字。"),
        ("decimal_whole_digits", "too_many_digits", "At most {whole_digits} digits before the point.", "小数点前最多 {whole_digits} 位。"),
        ("enum", "not_allowed", "Must be one of: {expected}.", "须为以下之一:{expected}。"),
        ("literal_error", "not_allowed", "Must be one of: {expected}.", "须为以下之一:{expected}。"),
        ("union_tag_invalid", "not_allowed", "Must be one of: {expected_tags}.", "须为以下之一:{expected_tags}。"),
        ("timezone_aware", "no_time_zone", "Must carry a time zone (RFC 3339).", "须带时区(RFC 3339)。"),
        ("model_attributes_type", "not_an_object", "Must be a JSON object.", "须为 JSON 对象。"),
        ("model_type", "not_an_object", "Must be a JSON object.", "须为 JSON 对象。"),
        ("dict_type", "not_an_object", "Must be a JSON object.", "须为 JSON 对象。"),
        ("list_type", "not_a_list", "Must be a JSON array.", "须为 JSON 数组。"),
    )
}  # fmt: skip
_FAMILIES = (
    ("uuid", Rule("not_a_uuid", Text("Must be a UUID.", "须为 UUID。"))),
    ("datetime", Rule("not_a_time", Text("Must be an RFC 3339 time.", "须为 RFC 3339 时间。"))),
    ("date", Rule("not_a_date", Text("Must be a date YYYY-MM-DD.", "须为日期 YYYY-MM-DD。"))),
    ("int", Rule("not_an_integer", Text("Must be an integer.", "须为整数。"))),
    ("bool", NOT_A_BOOLEAN),
    (
        "decimal",
        Rule(
            "not_a_decimal", Text("Must be a decimal such as '12.5'.", "须为如 12.5 的十进制数。")
        ),
    ),
)


_UNKNOWN = Rule("invalid", Text("This value is not valid.", "此值无效。"))


def from_validation(error: RequestValidationError) -> Problem:
    """Pydantic's findings as field errors with stable codes and pointers."""
    found = error.errors()
    return Invalid([_field_error(one) for one in found[:MOST_ERRORS]], len(found))


def _field_error(found: dict[str, Any]) -> FieldError:
    kind, place = found["type"], found["loc"]
    rule = _RULES.get(kind) or next((r for start, r in _FAMILIES if kind.startswith(start)), None)
    context = found.get("ctx", {})
    params = {name: value for name, value in context.items() if _plain(value)}
    if "expected" in params:
        params["expected"] = _alternatives(params["expected"])
    if rule is None:
        # A rule of our own models carries its words; anything else would be news to us.
        rule = context.get(RULE, _UNKNOWN)
    if place and place[0] == "body":
        return rule.at(pointer(place[1:]), **params)
    return rule.at_parameter(str(place[-1]) if place else "", **params)


def _alternatives(expected: str) -> Text:
    """Pydantic's "'a', 'b' or 'c'" in both languages."""
    first, _, last = expected.rpartition(" or ")
    return Text(expected, f"{first} 或 {last}" if first else last)


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) or type(value).__name__ == "Decimal"


def pointer(place: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901) from the parts of a path."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)
