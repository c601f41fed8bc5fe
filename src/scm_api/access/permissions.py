"""Roles as everybody knows them: templates an organization can use as they are.

A template names permissions of all rooms; what a release adds to a room, it adds here too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scm_api.core.errors import Text

EVERYTHING = "*"


@dataclass(frozen=True)
class RoleTemplate:
    """A role that every organization has."""

    code: str
    name: Text
    description: Text
    permissions: frozenset[str]


# What whoever works here may see: the words of problems, and how a job of his is doing.
_COMMON = ("problems:read", "jobs:read", "jobs:cancel")
_CATALOGUE = ("items:read", "suppliers:read", "warehouses:read", "organizations:read")
_STOCK = ("stock:read", "shortages:read", "demand:read", "insights:read", "alerts:read")


def _template(
    code: str, name: Text, description: Text, *permissions: Iterable[str] | str
) -> RoleTemplate:
    granted = {p for group in permissions for p in ([group] if isinstance(group, str) else group)}
    return RoleTemplate(code, name, description, frozenset(granted))


TEMPLATES: Mapping[str, RoleTemplate] = {
    template.code: template
    for template in (
        _template(
            "admin",
            Text("Administrator", "管理员"),
            Text("Everything, people and keys included.", "全部权限,包括人员与密钥。"),
            EVERYTHING,
        ),
        _template(
            "planner",
            Text("Planner", "计划员"),
            Text(
                "Keeps items, plans demand and replenishment, decides on suggestions.",
                "维护物料,负责需求与补货计划,处理补货建议。",
            ),
            _COMMON,
            _CATALOGUE,
            _STOCK,
            ("items:write", "sales_plans:read", "sales_plans:write", "shortages:write"),
            ("replenishment:read", "replenishment:write"),
            ("replenishment:plan", "replenishment:decide"),
            ("purchase_orders:read", "receipts:read"),
            ("alerts:write", "alert_rules:read", "alert_rules:write", "costs:read"),
        ),
        _template(
            "buyer",
            Text("Buyer", "采购员"),
            Text(
                "Keeps suppliers and prices, turns suggestions into orders and follows them.",
                "维护供应商与价格,将建议转为订单并跟催。",
            ),
            _COMMON,
            _CATALOGUE,
            _STOCK,
            ("suppliers:write", "sales_plans:read", "alerts:write", "alert_rules:read"),
            ("replenishment:read", "replenishment:decide", "replenishment:convert"),
            ("purchase_orders:read", "purchase_orders:write", "receipts:read", "costs:read"),
        ),
        _template(
            "approver",
            Text("Approver", "审批人"),
            Text("Approves orders that others wrote.", "审批他人编制的订单。"),
            _COMMON,
            _CATALOGUE,
            _STOCK,
            ("purchase_orders:read", "purchase_orders:approve", "replenishment:read"),
            ("receipts:read", "costs:read"),
        ),
        _template(
            "warehouse",
            Text("Warehouse keeper", "仓库管理员"),
            Text(
                "Receives, moves and issues goods; sees no prices.",
                "收货、移库与发货;不可见价格。",
            ),
            _COMMON,
            _CATALOGUE,
            ("stock:read", "stock:post", "shortages:read", "shortages:write"),
            ("purchase_orders:read", "receipts:read", "receipts:write"),
            ("alerts:read", "alerts:write"),
        ),
        _template(
            "finance",
            Text("Finance", "财务"),
            Text(
                "Values stock, reads orders and receipts, closes periods.",
                "存货估值,查看订单与收货,结账。",
            ),
            _COMMON,
            _CATALOGUE,
            _STOCK,
            ("purchase_orders:read", "receipts:read", "costs:read"),
            ("invoices:read", "invoices:write", "fiscal_periods:close"),
        ),
        _template(
            "sales",
            Text("Sales", "销售"),
            Text(
                "Plans sales and reports demand that was not served; sees no prices.",
                "编制销售计划,上报未满足需求;不可见价格。",
            ),
            _COMMON,
            _CATALOGUE,
            _STOCK,
            ("sales_plans:read", "sales_plans:write", "shortages:write"),
        ),
        _template(
            "supplier",
            Text("Supplier", "供应商"),
            Text(
                "Nothing of the organization; what suppliers answer comes over their own links.",
                "不可访问组织数据;供应商通过专属链接答复。",
            ),
            ("problems:read",),
        ),
        _template(
            "auditor",
            Text("Auditor", "审计员"),
            Text("Reads everything, the trail included; changes nothing.", "可读全部,不可更改。"),
            _COMMON[:2],
            _CATALOGUE,
            _STOCK,
            ("sales_plans:read", "replenishment:read", "purchase_orders:read", "receipts:read"),
            ("alert_rules:read", "events:read", "audit:read", "costs:read", "invoices:read"),
            ("users:read", "roles:read", "api_keys:read", "duty_rules:read"),
        ),
    )
}


def permissions_of(roles: Iterable[str], own_roles: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """What roles grant together; `own_roles` are the organization's, by code in lower case."""
    granted: set[str] = set()
    for code in roles:
        template = TEMPLATES.get(code.lower())
        granted.update(template.permissions if template else own_roles.get(code.lower(), ()))
    return frozenset(granted)
