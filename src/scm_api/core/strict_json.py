"""JSON as I-JSON (RFC 7493) means it: exact numbers, unique keys, clean text, bounded depth.

Every refusal is a `StrictJsonError` that says where and why and never repeats the input.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

_MAX_NUMBER_CHARACTERS = 256
_MAX_MAGNITUDE = 100  # powers of ten, on both sides of 1; numeric(20,6) needs 14
_MAX_KEY_CHARACTERS = 64  # a longer key is not worth repeating

# Control characters (category Cc) except tab, line feed and carriage return; surrogates.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# The escapes that may stand for such a character. `\\u0000` (an escaped backslash) is caught too,
# which costs one walk over the values and nothing else.
_SUSPICIOUS_ESCAPE = re.compile(
    r"\\(?:[bf]|u00(?:0[0-8bcefBCEF]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])|u[dD][89a-fA-F])"
)
_OPEN_OR_CLOSE = bytes.maketrans(b"{}", b"[]")
_NO_SKELETON = bytes(set(range(256)) - set(b'[]{}"'))


class StrictJsonError(ValueError):
    """A refused body.

    `code` is malformed_json, not_utf8, duplicate_key, invalid_unicode, number_out_of_range or
    too_deep. `pointer` is the JSON pointer (RFC 6901) of the culprit, "" for the whole body or
    where it is not known; `line` and `column` count from 1.
    """

    def __init__(
        self,
        code: str,
        detail_en: str,
        detail_zh: str,
        *,
        pointer: str = "",
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(detail_en)
        self.code = code
        self.detail_en = detail_en
        self.detail_zh = detail_zh
        self.pointer = pointer
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands in the parsed value where something was refused, until its pointer is known."""

    code: str
    detail_en: str
    detail_zh: str

    def at(self, pointer: str) -> StrictJsonError:
        return StrictJsonError(self.code, self.detail_en, self.detail_zh, pointer=pointer)


_NOT_A_NUMBER = _Refused(
    "malformed_json", "NaN and Infinity are not JSON.", "NaN 和 Infinity 不是有效的 JSON。"
)
_OUT_OF_RANGE = _Refused(
    "number_out_of_range",
    f"Numbers lie within 1e-{_MAX_MAGNITUDE} and 1e{_MAX_MAGNITUDE}"
    f" and have at most {_MAX_NUMBER_CHARACTERS} characters.",
    f"数字须在 1e-{_MAX_MAGNITUDE} 与 1e{_MAX_MAGNITUDE} 之间,"
    f"且不超过 {_MAX_NUMBER_CHARACTERS} 个字符。",
)
_INVALID_TEXT = _Refused(
    "invalid_unicode",
    "Text must not contain control characters or lone surrogates.",
    "文本不得包含控制字符或孤立的代理项。",
)


def loads(body: bytes, *, max_depth: int = 32) -> Any:
    """The value of a JSON document; numbers with a point or exponent become exact `Decimal`s.

    `max_depth` counts nested arrays and objects. Raises `StrictJsonError`.
    """
    text = _decode(body)
    _check_depth(body, max_depth)
    # The parser itself refuses what is below U+0020; in UTF-8 the others show these bytes.
    if b"\x7f" in body or b"\xc2" in body:
        _check_characters(text)
    return _Reader().read(text)


def _decode(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise StrictJsonError(
            "not_utf8", "The body is not UTF-8.", "请求体不是 UTF-8 编码。"
        ) from None
    if text.startswith("\ufeff"):
        raise StrictJsonError(
            "not_utf8",
            "The body begins with a byte order mark; send UTF-8 without it.",
            "请求体以字节顺序标记 (BOM) 开头,请使用无 BOM 的 UTF-8。",
            line=1,
            column=1,
        )
    return text


def _check_characters(text: str) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        error = _INVALID_TEXT.at("")
        error.line = text.count("\n", 0, found.start()) + 1
        error.column = found.start() - text.rfind("\n", 0, found.start())
        raise error


def _check_depth(body: bytes, max_depth: int) -> None:
    # The parser recurses, so depth is known before it starts.
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = body.translate(_OPEN_OR_CLOSE, _NO_SKELETON)
    brackets = b"".join(skeleton.split(b'"')[::2])  # every second part lies within a string
    rest = brackets
    # Each pass takes away exactly the innermost level.
    for _ in range(max_depth):
        rest = rest.replace(b"[]", b"")
        if not rest:
            return
    # 0x5C lies between "[" (0x5B) and "]" (0x5D): +1 opens, -1 closes.
    if max(accumulate(0x5C - bracket for bracket in brackets)) > max_depth:
        raise StrictJsonError(
            "too_deep",
            f"The body nests deeper than {max_depth} levels.",
            f"请求体的嵌套超过 {max_depth} 层。",
        )


class _Reader:
    """One parse. The parser's hooks leave a `_Refused` behind; one walk then finds its place."""

    def __init__(self) -> None:
        self.refused = False
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=self._decimal,
            parse_int=self._integer,
            parse_constant=self._constant,
        )

    def read(self, text: str) -> Any:
        try:
            value = self.decoder.decode(text)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise StrictJsonError(
                "malformed_json",
                f"The body is not valid JSON at {where}: {error.msg}.",
                f"请求体第 {error.lineno} 行第 {error.colno} 列不是有效的 JSON。",
                line=error.lineno,
                column=error.colno,
            ) from None
        if self.refused or _SUSPICIOUS_ESCAPE.search(text):
            _raise_first(value, ())
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> Any:
        result = dict(pairs)
        return result if len(result) == len(pairs) else self._refuse(_duplicate(pairs))

    def _decimal(self, text: str) -> Any:
        if len(text) > _MAX_NUMBER_CHARACTERS:
            return self._refuse(_OUT_OF_RANGE)
        try:
            value = Decimal(text)
        except ArithmeticError:  # an exponent beyond what Decimal can hold
            return self._refuse(_OUT_OF_RANGE)
        if not -_MAX_MAGNITUDE <= value.adjusted() < _MAX_MAGNITUDE:
            return self._refuse(_OUT_OF_RANGE)
        return value

    def _integer(self, text: str) -> Any:
        return int(text) if len(text) <= _MAX_MAGNITUDE else self._refuse(_OUT_OF_RANGE)

    def _constant(self, _: str) -> Any:
        return self._refuse(_NOT_A_NUMBER)

    def _refuse(self, refused: _Refused) -> _Refused:
        self.refused = True
        return refused


def _duplicate(pairs: list[tuple[str, Any]]) -> _Refused:
    key = Counter(key for key, _ in pairs).most_common(1)[0][0]
    named = f" '{key}'" if _is_repeatable(key) else ""
    return _Refused(
        "duplicate_key",
        f"The key{named} stands twice in one object.",
        f"同一对象中的键{named} 重复。",
    )


def _raise_first(value: Any, path: tuple[str | int, ...]) -> None:
    if isinstance(value, _Refused):
        raise value.at(_pointer(path))
    if isinstance(value, str):
        if _FORBIDDEN.search(value):
            raise _INVALID_TEXT.at(_pointer(path))
    elif isinstance(value, dict):
        for key, member in value.items():
            if _FORBIDDEN.search(key):
                raise _INVALID_TEXT.at(_pointer(path))
            _raise_first(member, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _raise_first(entry, (*path, index))


def _pointer(path: tuple[str | int, ...]) -> str:
    """The pointer as far as it may be repeated: it ends before the first unduly long key."""
    parts = []
    for step in path:
        if isinstance(step, str) and not _is_repeatable(step):
            break
        parts.append("/" + str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(parts)


def _is_repeatable(key: str) -> bool:
    return len(key) <= _MAX_KEY_CHARACTERS and not _FORBIDDEN.search(key)
