"""Problems (RFC 9457): an error is a class with a status and a stable code, in English and Chinese.

Raising one anywhere rolls the transaction back and becomes the answer. `code` never changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

PROBLEM_BASE = "https://scm-api.dev/problems/"


class Text(NamedTuple):
    """One message in the two languages, with `{named}` places."""

    en: str
    zh: str

    @classmethod
    def of(cls, words: str) -> "Text":
        """Somebody's own words, the same in both languages, braces and all."""
        plain = words.replace("{", "{{").replace("}", "}}")
        return cls(plain, plain)

    def render(self, language: str, params: Mapping[str, Any]) -> str:
        template = self.zh if language == "zh-CN" else self.en
        return template.format_map({n: _spoken(value, language) for n, value in params.items()})


def _spoken(value: Any, language: str) -> Any:
    if isinstance(value, Text):
        return value.render(language, {})
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return format(value, "f") if isinstance(value, Decimal) else value


@dataclass(frozen=True)
class FieldError:
    """One broken rule at one place of the request: a JSON pointer into the body, or a parameter."""

    rule: "Rule"
    pointer: str | None = None
    parameter: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def body(self, language: str) -> dict[str, Any]:
        place = (
            {"pointer": f"#{self.pointer}"}
            if self.pointer is not None
            else {"parameter": self.parameter}
        )
        return {
            **place,
            "code": self.rule.code,
            "detail": self.rule.text.render(language, self.params),
            "params": {name: _json(value) for name, value in self.params.items()},
        }


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Text):
        return value.en
    return value if value is None or isinstance(value, bool | int | list) else str(value)


@dataclass(frozen=True)
class Rule:
    """A rule a field can break: its stable code and its words."""

    code: str
    text: Text

    def at(self, pointer: str, **params: Any) -> FieldError:
        """The rule broken at a JSON pointer such as `/lines/0/quantity`."""
        return FieldError(self, pointer=pointer, params=params)

    def at_parameter(self, parameter: str, **params: Any) -> FieldError:
        """The rule broken by a path, query or header parameter."""
        return FieldError(self, parameter=parameter, params=params)


class Problem(Exception):
    """Base of all problems. Keyword arguments fill the places of `detail` and become members."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[Text]
    detail: ClassVar[Text]
    retryable: ClassVar[bool] = False
    # The URI of a type that somebody else defined; else it is our own page of the code.
    registered_type: ClassVar[str | None] = None
    # Members that are money: null, and `detail` in other words, for callers without `costs:read`.
    money: ClassVar[frozenset[str]] = frozenset()
    detail_without_money: ClassVar[Text]

    registry: ClassVar[dict[str, type["Problem"]]] = {}

    def __init_subclass__(cls) -> None:
        if cls.money and not hasattr(cls, "detail_without_money"):
            raise TypeError(f"{cls.__name__}: say it without money too")
        if "code" in cls.__dict__:
            known = Problem.registry.setdefault(cls.code, cls)
            if known is not cls and known.__qualname__ != cls.__qualname__:
                raise TypeError(f"problem code {cls.code!r} is declared twice")

    def __init__(
        self,
        errors: Sequence[FieldError] = (),
        *,
        headers: Mapping[str, str] | None = None,
        keep_writes: bool = False,
        **params: Any,
    ) -> None:
        super().__init__(self.code)
        self.errors = errors
        self.headers = dict(headers or {})
        # The refusal itself leaves a trace (a recorded shortage): commit, then answer.
        self.keep_writes = keep_writes
        self.params = params

    @classmethod
    def type_uri(cls) -> str:
        """The URI that `type` names."""
        return cls.registered_type or PROBLEM_BASE + cls.code.replace("_", "-")

    def body(
        self, language: str, instance: str, request_id: str, *, sees_costs: bool = False
    ) -> dict[str, Any]:
        """The problem document in the caller's language; with money only if he may see it."""
        hides = bool(self.money) and not sees_costs
        words = self.detail_without_money if hides else self.detail
        params = self.params | (dict.fromkeys(self.money) if hides else {})
        return {
            "type": self.type_uri(),
            "title": self.title.render(language, {}),
            "status": self.status,
            "detail": words.render(language, params),
            "instance": instance,
            "code": self.code,
            "request_id": request_id,
            "retryable": self.retryable,
            "errors": [error.body(language) for error in self.errors],
            **{name: _json(value) for name, value in params.items()},
        }


class Malformed(Problem):
    status, code = 400, "malformed_request"
    title = Text("Malformed request", "请求格式错误")
    detail = Text("{reason}", "{reason}")


class OrganizationRequired(Problem):
    """`header` is the one that names the organization."""

    status, code = 400, "organization_required"
    title = Text("Name an organization", "须指定组织")
    detail = Text(
        "You belong to several organizations: name the one that this call is about, by its code or "
        "id, in the header {header}.",
        "您属于多个组织:请在请求头 {header} 中以组织代码或 id 指明本次调用所针对的组织。",
    )


class MalformedJson(Problem):
    status, code = 400, "malformed_json"
    title = Text("The body is not valid JSON", "请求体不是有效的 JSON")
    detail = Text("{reason}", "{reason}")


class IdempotencyKeyInvalid(Problem):
    status, code = 400, "idempotency_key_invalid"
    title = Text("Invalid Idempotency-Key", "Idempotency-Key 无效")
    detail = Text(
        "Idempotency-Key must be 1 to 255 visible ASCII characters.",
        "Idempotency-Key 须为 1 至 255 个可见 ASCII 字符。",
    )


class Unauthenticated(Problem):
    status, code = 401, "unauthenticated"
    title = Text("Authentication required", "需要身份验证")
    detail = Text(
        "Send a valid API key or access token as 'Authorization: Bearer <token>'.",
        "请在 Authorization: Bearer <token> 中提供有效的 API 密钥或访问令牌。",
    )

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="scm-api"'})


class PermissionDenied(Problem):
    status, code = 403, "permission_denied"
    title = Text("Permission denied", "权限不足")
    detail = Text(
        "This call needs the permission {required_permission}.",
        "此操作需要权限 {required_permission}。",
    )


class OutsideLimits(Problem):
    status, code = 403, "outside_limits"
    title = Text("Outside your limits", "超出您的权限范围")
    detail = Text(
        "You may do this, but not for these warehouses, item categories or amounts.",
        "您有此项权限,但不适用于这些仓库、物料类别或金额。",
    )


class NotFound(Problem):
    status, code = 404, "not_found"
    title = Text("Not found", "未找到")
    detail = Text("There is no {kind} {reference}.", "不存在 {kind} {reference}。")


class RouteNotFound(Problem):
    status, code = 404, "route_not_found"
    title = Text("No such path", "路径不存在")
    detail = Text("This path does not exist; see /docs.", "该路径不存在,请见 /docs。")


class MethodNotAllowed(Problem):
    status, code = 405, "method_not_allowed"
    title = Text("Method not allowed", "不允许的方法")
    detail = Text("This path allows {allow}.", "该路径允许的方法:{allow}。")


class Conflict(Problem):
    """Base of state conflicts; raised itself only for constraints no service foresaw."""

    status, code = 409, "conflict"
    title = Text("Conflict", "冲突")
    detail = Text(
        "The change contradicts what is stored (rule {constraint}).",
        "更改与已有数据冲突(规则 {constraint})。",
    )


class Duplicate(Conflict):
    code = "duplicate"
    title = Text("Already exists", "已存在")
    detail = Text(
        "There is already a {kind} with {field} {value}.", "已存在 {field} 为 {value} 的 {kind}。"
    )


class IllegalTransition(Conflict):
    code = "illegal_transition"
    title = Text("Not possible in this state", "当前状态不允许此操作")
    detail = Text(
        "{kind} {reference} is {state}; '{action}' is not possible. Possible now: {allowed}.",
        "{kind} {reference} 的状态为 {state},不能执行 {action}。现在可执行:{allowed}。",
    )


class IdempotencyInProgress(Conflict):
    code = "idempotency_in_progress"
    retryable = True
    title = Text("The same request is still running", "相同请求正在处理中")
    detail = Text(
        "A request with this Idempotency-Key is still running; retry later.",
        "带有相同 Idempotency-Key 的请求仍在处理,请稍后重试。",
    )


class VersionMismatch(Problem):
    status, code = 412, "version_mismatch"
    title = Text("Changed in the meantime", "数据已被他人修改")
    detail = Text(
        "The current version is {current_version}; read it again and repeat.",
        "当前版本为 {current_version},请重新读取后再试。",
    )


class BodyTooLarge(Problem):
    status, code = 413, "body_too_large"
    title = Text("Body too large", "请求体过大")
    detail = Text(
        "A body may have {limit_bytes} bytes here.", "此处请求体上限为 {limit_bytes} 字节。"
    )


class UnsupportedMediaType(Problem):
    status, code = 415, "unsupported_media_type"
    title = Text("Unsupported media type", "不支持的媒体类型")
    detail = Text(
        "Send the body as Content-Type: application/json.",
        "请以 Content-Type: application/json 发送请求体。",
    )


# One for each line of the largest document; beyond it the answer would outgrow the request.
MOST_ERRORS = 1_000


class Invalid(Problem):
    """`count` is the number of broken rules; at most `MOST_ERRORS` of them are listed."""

    status, code = 422, "validation_failed"
    title = Text("Validation failed", "校验失败")
    detail = Text(
        "{count} rule(s) are broken; see errors.", "有 {count} 处不符合规则,详见 errors。"
    )

    def __init__(self, errors: Sequence[FieldError], count: int | None = None) -> None:
        super().__init__(errors[:MOST_ERRORS], count=len(errors) if count is None else count)


class IdempotencyKeyReused(Problem):
    status, code = 422, "idempotency_key_reused"
    title = Text("Idempotency-Key used for another request", "Idempotency-Key 已用于其他请求")
    detail = Text(
        "This key was first sent with a different method, path, query or body, or when you were "
        "confined to other warehouses or item categories.",
        "该密钥首次使用时的方法、路径、查询或请求体不同,或当时您的仓库、物料类别范围不同。",
    )


class PreconditionRequired(Problem):
    status, code = 428, "precondition_required"
    title = Text("If-Match required", "需要 If-Match")
    detail = Text(
        "Send If-Match with the ETag you read, or 'version' in the body.",
        "请在 If-Match 中提供读取到的 ETag,或在请求体中提供 version。",
    )


class RateLimited(Problem):
    """`violated-policies` names what was used up, as in `RateLimit-Policy`."""

    status, code = 429, "rate_limited"
    retryable = True
    registered_type = "https://iana.org/assignments/http-problem-types#quota-exceeded"
    title = Text("Too many requests", "请求过多")
    detail = Text(
        "The requests allowed in a minute are used up; try again in {retry_after_seconds} s.",
        "本分钟内允许的请求次数已用完,请在 {retry_after_seconds} 秒后重试。",
    )

    def __init__(
        self, policies: Sequence[str], retry_after_seconds: int, headers: Mapping[str, str]
    ) -> None:
        members: dict[str, Any] = {
            "violated-policies": list(policies),
            "retry_after_seconds": retry_after_seconds,
        }
        super().__init__(headers={**headers, "Retry-After": str(retry_after_seconds)}, **members)


class InternalError(Problem):
    status, code = 500, "internal_error"
    title = Text("Internal error", "内部错误")
    detail = Text(
        "Something went wrong on our side; quote the request id.",
        "服务器内部错误,请提供 request_id 以便排查。",
    )


class Unavailable(Problem):
    status, code = 503, "unavailable"
    retryable = True
    title = Text("Temporarily unavailable", "暂时不可用")
    detail = Text("Please retry: {reason}.", "请稍后重试:{reason}。")

    def __init__(self, reason: Text) -> None:
        super().__init__(headers={"Retry-After": "1"}, reason=reason)


UNKNOWN_PARAMETER = Rule(
    "unknown_parameter",
    Text("'{name}' is not a parameter of this call.", "此接口没有参数 {name}。"),
)
NOT_A_BOOLEAN = Rule("not_a_boolean", Text("Must be true or false.", "须为 true 或 false。"))
OUT_OF_RANGE = Rule(
    "out_of_range",
    Text("A value lies outside what can be stored.", "某个值超出可存储的范围。"),
)
INVALID_CURSOR = Rule(
    "invalid_cursor",
    Text(
        "The cursor does not belong to this list and these filters.", "游标不属于此列表或筛选条件。"
    ),
)
UNKNOWN_REFERENCE = Rule(
    "unknown_reference", Text("There is no {kind} {reference}.", "不存在 {kind} {reference}。")
)
NOT_UNIQUE = Rule(
    "not_unique",
    Text("{value} stands more than once in this request.", "{value} 在请求中重复出现。"),
)


def unknown_filter(problem: NotFound, parameter: str) -> Invalid:
    """What a filter answers that names nothing: 422 for the parameter, not 404 for the list."""
    named = {"kind": problem.params["kind"], "reference": problem.params["reference"]}
    return Invalid([UNKNOWN_REFERENCE.at_parameter(parameter, **named)])
