"""What makes a number rule good: numbers that are unique, readable and short enough."""

import re
from datetime import date

from scm_api.core.errors import FieldError, Text
from scm_api.organizations import errors

LONGEST_NUMBER = 32
# A series never reaches more digits than this.
_MOST_DIGITS = 10
_TOKEN = re.compile(r"\{[^{}]*\}")
_COUNTER = re.compile(r"\{n(?::([1-9]|10))?\}")
_WIDTHS = {"{yyyy}": 4, "{yy}": 2, "{mm}": 2, "{dd}": 2}
_LITERAL = re.compile(r"[\w.-]*")
_PERIODS = {"year": Text("year", "年"), "month": Text("month", "月"), "day": Text("day", "日")}
_NEEDED = {"year": "{yyyy}", "month": "{yyyy}{mm}", "day": "{yyyy}{mm}{dd}"}


def broken_rules(pattern: str, restarts: str) -> list[FieldError]:
    """Everything that is wrong with a rule."""
    found: list[FieldError] = []
    at = "/pattern"
    tokens = _TOKEN.findall(pattern)
    counters = [token for token in tokens if _COUNTER.fullmatch(token)]
    for token in tokens:
        if token not in counters and token not in _WIDTHS:
            words = {"n": "{n}", "width": "{n:6}", "dates": "{yyyy} {yy} {mm} {dd}"}
            found.append(errors.UNKNOWN_TOKEN.at(at, token=token, **words))
    if len(counters) != 1:
        found.append(errors.ONE_COUNTER.at(at, example="{n:6}"))
    literals = _TOKEN.sub("", pattern)
    if not _LITERAL.fullmatch(literals):
        found.append(errors.LITERALS_ONLY.at(at))
    length = len(literals) + _MOST_DIGITS + sum(_WIDTHS.get(token, 0) for token in tokens)
    if length > LONGEST_NUMBER:
        found.append(errors.NUMBER_TOO_LONG.at(at, length=length, limit=LONGEST_NUMBER))
    if not _shows(restarts, set(tokens)):
        period, needed = _PERIODS[restarts], _NEEDED[restarts]
        found.append(errors.AMBIGUOUS_RESTART.at(at, period=period, tokens=needed))
    return found


def _shows(restarts: str, tokens: set[str]) -> bool:
    """Whether numbers of different periods differ."""
    needed = {"year": 1, "month": 2, "day": 3}.get(restarts, 0)
    shown = (bool(tokens & {"{yyyy}", "{yy}"}), "{mm}" in tokens, "{dd}" in tokens)
    return all(shown[:needed])


def begins_anew(restarts: str, latest: date | None, today: date) -> bool:
    """Whether counting begins again with a number given today, after one of the day `latest`."""
    if latest is None or restarts == "never":
        return False
    parts = {"year": 1, "month": 2, "day": 3}[restarts]
    return today.timetuple()[:parts] > latest.timetuple()[:parts]
