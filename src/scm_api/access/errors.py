"""Problems and rules of keys, roles, limits and duties."""

from scm_api.core.errors import Conflict, Problem, Rule, Text


class PermissionEscalation(Problem):
    """`exceeds` lists permissions and limits that go beyond the caller's own."""

    status, code = 403, "permission_escalation"
    title = Text("More than you have yourself", "超出您自身的权限")
    detail = Text(
        "Nobody grants more than he has; this goes beyond your own: {exceeds}.",
        "授予的权限不得超过自身所有;以下超出您的权限:{exceeds}。",
    )


class SegregationOfDuties(Problem):
    """`rule` is the duty rule, `actor` and `actor_id` the person or key that was refused."""

    status, code = 403, "sod_violation"
    title = Text("Duties must stay separate", "职责须分离")
    detail = Text(
        "Rule {rule}: {actor}, or a person or key behind the same keys, already did the other part "
        "on this document; somebody else must do this, and not with a key that one of them made.",
        "规则 {rule}:{actor}(或与其密钥同源的人员、密钥)已处理过此单据的另一环节;"
        "须由他人完成,且不得使用其创建的密钥。",
    )


class DutyConflict(Conflict):
    """`rules` are duty rules of mode block, `permissions` what would be held together, `holders`
    the people and keys that would; empty where it is what is granted itself."""

    code = "duty_conflict"
    title = Text("Duties that must stay separate", "须分离的职责")
    detail = Text(
        "Nobody may hold these together: {permissions} (rules: {rules}; holders: {holders}).",
        "不得同时拥有:{permissions}(规则:{rules};持有者:{holders})。",
    )


class AmountLimitExceeded(Problem):
    """`amount` and `limit` are in `currency`, the organization's base currency."""

    status, code = 403, "amount_limit_exceeded"
    title = Text("Above your amount limit", "超出您的金额上限")
    detail = Text(
        "The document is worth {amount} {currency}; you may decide on up to {limit} {currency}.",
        "单据金额为 {amount} {currency},您可决定的上限为 {limit} {currency}。",
    )
    money = frozenset({"amount"})
    detail_without_money = Text(
        "The document is worth more than the {limit} {currency} you may decide on.",
        "单据金额超出您可决定的上限 {limit} {currency}。",
    )


class RoleInUse(Conflict):
    code = "role_in_use"
    title = Text("The role is in use", "角色正在使用")
    detail = Text(
        "Role {role} is held by {people} people and {keys} keys; take it from them first.",
        "角色 {role} 正由 {people} 名人员和 {keys} 个密钥使用,请先解除。",
    )


class RoleIsTemplate(Conflict):
    code = "role_is_template"
    title = Text("A template cannot be changed", "模板角色不可更改")
    detail = Text(
        "{role} is a template that every organization has; make a role of your own instead.",
        "{role} 是所有组织共有的模板角色,请另建自定义角色。",
    )


class KeyOfAnotherPerson(Problem):
    status, code = 403, "key_of_another_person"
    title = Text("Another person's key", "他人的密钥")
    detail = Text(
        "A personal key is renewed by its person only; you may revoke it.",
        "个人密钥只能由本人更新;您可以吊销该密钥。",
    )


class KeyRevoked(Conflict):
    code = "key_revoked"
    title = Text("The key is revoked", "密钥已吊销")
    detail = Text(
        "API key {key} was revoked; make a new one.", "API 密钥 {key} 已吊销,请新建密钥。"
    )


UNKNOWN_PERMISSION = Rule(
    "unknown_permission",
    Text(
        "There is no permission {permission}; see /v1/permissions.",
        "不存在权限 {permission},请见 /v1/permissions。",
    ),
)
UNKNOWN_ROLE = Rule(
    "unknown_role",
    Text("There is no role {role}; see /v1/roles.", "不存在角色 {role},请见 /v1/roles。"),
)
GRANTS_NOTHING = Rule(
    "grants_nothing", Text("Give permissions, roles or both.", "请提供权限、角色或两者。")
)
NOT_A_PERSON = Rule(
    "not_a_person",
    Text(
        "A personal key belongs to a person: log in to make one.",
        "个人密钥属于人员,请登录后创建。",
    ),
)
IN_THE_PAST = Rule("in_the_past", Text("Must lie in the future.", "须为将来的时间。"))
OUTLIVES = Rule(
    "outlives_its_maker",
    Text(
        "The key that makes it ends at {own}; it may not live longer.",
        "创建它的密钥将于 {own} 到期,新密钥不得晚于该时间。",
    ),
)
TEMPLATE_CODE = Rule(
    "template_code",
    Text("{code} is the code of a template.", "{code} 是模板角色的代码。"),
)
BUILT_IN_SIDES = Rule(
    "built_in_rule",
    Text("{code} is built in: only its mode can be changed.", "{code} 为内置规则,只能更改其模式。"),
)
SIDES_REQUIRED = Rule(
    "required_for_own_rule",
    Text(
        "A rule of one's own needs name, first and second.",
        "自定义规则须提供 name、first 与 second。",
    ),
)
BOTH_SIDES = Rule(
    "on_both_sides",
    Text("{permissions} cannot stand on both sides.", "{permissions} 不能同时位于两侧。"),
)
