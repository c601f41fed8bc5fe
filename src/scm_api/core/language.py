"""The language of an answer: what Accept-Language prefers (RFC 9110, 12.5.4), else the caller's."""

from typing import Literal, get_args

from starlette.requests import Request

Language = Literal["en", "zh-CN"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def negotiate_language(header: str | None, default: Language = "en") -> Language:
    """The better of our two languages for an Accept-Language header; without one, `default`.

    Any Chinese tag (`zh`, `zh-Hant`, `zh-TW`) means `zh-CN`, the only Chinese there is; `*` and
    everything we do not speak mean English. Of equal weights the first named wins; a weight that
    cannot be read counts as 0.
    """
    if header is None:
        return default
    if "zh" not in header.lower():
        return "en"
    best: Language = "en"
    best_weight = 0.0
    for entry in header.split(","):
        tag, _, parameter = entry.partition(";")
        primary = tag.strip().lower().split("-", 1)[0]
        weight = _weight(parameter)
        if primary in {"zh", "en", "*"} and weight > best_weight:
            best, best_weight = ("zh-CN" if primary == "zh" else "en"), weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0 <= weight <= 1 else 0.0


def language_of(request: Request) -> Language:
    """The language to answer a request in; its route notes the caller's own once it is known."""
    known: Language = getattr(request.state, "language", "en")
    return negotiate_language(request.headers.get("accept-language"), known)
