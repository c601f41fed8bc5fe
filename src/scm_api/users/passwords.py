"""Passwords: which are taken, and how they are kept (argon2id) and checked.

Checking costs the same whether or not there is anything to check against, and memory is bounded.
"""

import asyncio
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from scm_api.core.errors import FieldError, Invalid, Rule, Text, Unavailable

# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, 2 passes, 1 lane (about 25 ms of one core).
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16)
# NIST SP 800-63B: length and a list of the common ones, no rules of composition.
SHORTEST, LONGEST = 10, 200
# So many are hashed at once (19 MiB each), and so many more may wait: each of them holds a database
# connection meanwhile, and the other requests need some too.
_AT_ONCE = max(2, min(4, os.cpu_count() or 2))
_WAITING = 4

_threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")
_places = threading.BoundedSemaphore(_AT_ONCE + _WAITING)
_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_BETWEEN = re.compile(r"[\s._'’-]+")
_BUSY = Text("too many passwords are being checked", "正在校验的密码过多")
T = TypeVar("T")

PASSWORD_LENGTH = Rule(
    "password_length",
    Text(
        "A password has {shortest} to {longest} characters.",
        "密码长度须为 {shortest} 至 {longest} 个字符。",
    ),
)
PASSWORD_CHARACTERS = Rule(
    "password_characters",
    Text("A password holds no control characters.", "密码不得含控制字符。"),
)
PASSWORD_PERSONAL = Rule(
    "password_personal",
    Text(
        "The password must not be the e-mail, the name or the organization, nor that with digits "
        "or punctuation around.",
        "密码不得为邮箱、姓名或组织名称,也不得仅在其前后添加数字或标点。",
    ),
)
PASSWORD_COMMON = Rule(
    "password_common",
    Text(
        "This password is among those that are tried first; choose another.",
        "该密码过于常见,请另选密码。",
    ),
)


class Checked(NamedTuple):
    """Whether a password was right, and whether its hash should be made anew."""

    is_right: bool
    is_outdated: bool


def normal(password: str) -> str:
    """A password as it is compared, so that every keyboard writes the same: NFC with plain spaces
    (RFC 8265, OpaqueString)."""
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
    return unicodedata.normalize("NFC", spaced)


def check_choice(
    password: str,
    *,
    email: str,
    name: str,
    organizations: Iterable[str] = (),
    at: str = "/password",
) -> str:
    """The normal form of a password somebody chooses; `organizations` are codes and names of those
    he belongs to. Raises `Invalid`, pointing at `at`."""
    chosen = normal(password)
    personal = [email, email.split("@")[0], name, *organizations]
    broken: FieldError | None = None
    if not SHORTEST <= len(chosen) <= LONGEST:
        broken = PASSWORD_LENGTH.at(at, shortest=SHORTEST, longest=LONGEST)
    elif any(unicodedata.category(c) in {"Cc", "Cs", "Cn"} for c in chosen):
        broken = PASSWORD_CHARACTERS.at(at)
    elif _is_one_of(personal, chosen):
        broken = PASSWORD_PERSONAL.at(at)
    elif chosen.lower() in _common() or _core(chosen) in _words() or len(set(chosen)) == 1:
        broken = PASSWORD_COMMON.at(at)
    if broken is not None:
        raise Invalid([broken])
    return chosen


def _is_one_of(personal: Iterable[str], chosen: str) -> bool:
    known = {text.casefold() for text in personal}
    # A single letter is no name.
    cores = {core for text in known if len(core := _joined(_core(text))) > 1}
    return chosen.casefold() in known or _joined(_core(chosen)) in cores


def _core(text: str) -> str:
    """A text without digits, punctuation and spaces at both ends, in one case: what is left of
    `Password12!` is `password`."""
    return _AROUND.sub("", text.casefold())


def _joined(text: str) -> str:
    """`li.wei` and `Li Wei` as one word."""
    return _BETWEEN.sub("", text)


@cache
def _common() -> frozenset[str]:
    # The most common of at least ten characters, most of them from the lists of zxcvbn (MIT).
    return _listed("common_passwords.txt")


@cache
def _words() -> frozenset[str]:
    # What people put digits around, of any length, most of them from the lists of zxcvbn (MIT).
    cores = {core for one in _common() if len(core := _core(one)) > 3}
    return _listed("common_words.txt") | cores


def _listed(name: str) -> frozenset[str]:
    return frozenset(files("scm_api.users").joinpath(name).read_text("utf-8").split())


async def hash_of(password: str) -> str:
    """The argon2id hash of a password in its normal form. Raises `Unavailable` under a flood."""
    return await _in_thread(lambda: _HASHER.hash(password))


async def check(password: str, stored: str | None) -> Checked:
    """Compare a password as typed with a stored hash; None, for nobody's, costs as much and is
    never right. Raises `Unavailable` under a flood."""
    return await _in_thread(lambda: _compare(normal(password), stored))


def _compare(password: str, stored: str | None) -> Checked:
    against = stored or _nobodys()
    try:
        _HASHER.verify(against, password)
    except (VerificationError, InvalidHashError):
        return Checked(is_right=False, is_outdated=False)
    return Checked(stored is not None, stored is not None and _HASHER.check_needs_rehash(stored))


@cache
def _nobodys() -> str:
    return _HASHER.hash(os.urandom(32))


async def _in_thread(work: Callable[[], T]) -> T:
    if not _places.acquire(blocking=False):
        raise Unavailable(_BUSY)
    try:
        future = _threads.submit(work)
    except BaseException:
        _places.release()
        raise
    # A request that is given up leaves its thread at work: its place is free when that is done.
    future.add_done_callback(lambda _: _places.release())
    return await asyncio.wrap_future(future)
