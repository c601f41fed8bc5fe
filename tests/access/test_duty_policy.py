"""Which sets of permissions join duties that must stay separate."""

import pytest

from scm_api import wiring
from scm_api.access.catalogue import known_permissions
from scm_api.access.duty_policy import DEFAULTS, Duty, conflicts
from scm_api.access.permissions import TEMPLATES
from scm_api.core.errors import Text

HOLDING = Duty("holding", Text("", ""), "block", ("a:x", "a:y"), ("b:x",))
ACTING = Duty("acting", Text("", ""), "block", ("a:x",), ("b:x",), ("thing.made",))
WARNED = Duty("warned", Text("", ""), "warn", ("a:x",), ("b:x",))
OFF = Duty("off", Text("", ""), "off", ("a:x",), ("b:x",))


def test_one_side_alone_is_no_conflict() -> None:
    assert conflicts(frozenset({"a:x", "a:y"}), [HOLDING]) == []
    assert conflicts(frozenset({"b:x"}), [HOLDING]) == []


def test_a_conflict_names_what_is_held_of_each_side() -> None:
    (found,) = conflicts(frozenset({"a:y", "b:x", "c:x"}), [HOLDING])
    assert (found.first, found.second, found.effect) == (["a:y"], ["b:x"], "refused")


def test_only_a_blocking_rule_about_holding_refuses() -> None:
    found = conflicts(frozenset({"a:x", "b:x"}), [HOLDING, ACTING, WARNED, OFF])
    effects = {one.duty.code: one.effect for one in found}
    assert effects == {"holding": "refused", "acting": "reported", "warned": "reported"}


def test_who_holds_everything_is_reported_and_never_refused() -> None:
    found = conflicts(frozenset("*"), [HOLDING, ACTING])
    assert [one.effect for one in found] == ["reported", "reported"]
    assert found[0].first == ["a:x", "a:y"]


@pytest.mark.parametrize("code", sorted(TEMPLATES))
def test_no_template_but_the_administrator_joins_duties(code: str) -> None:
    found = conflicts(TEMPLATES[code].permissions, DEFAULTS.values())
    assert bool(found) == (code == "admin")


def test_the_built_in_rules_name_permissions_that_exist() -> None:
    assert wiring.routers, "permissions are known once their routers are"
    named = {p for duty in DEFAULTS.values() for p in (*duty.first, *duty.second)}
    assert named <= known_permissions()
