"""Rules that the models of a request enforce by themselves. A broken one carries its `Rule`, so its
words reach the caller in both languages: `core.problems` takes it out again."""

from typing import Any

from pydantic_core import PydanticCustomError

from scm_api.core.errors import Rule, Text

RULE = "rule"

ONE_REFERENCE = Rule(
    "one_reference",
    Text("Give exactly one of {one} and {other}.", "{one} 与 {other} 须且只能提供其一。"),
)


def broken(rule: Rule, **params: Any) -> PydanticCustomError:
    """What a validator raises when `rule` is broken; `params` fill the places of its words."""
    return PydanticCustomError(rule.code, rule.text.en, {**params, RULE: rule})
