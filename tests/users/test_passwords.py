"""Which passwords are taken, and how they are kept."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from scm_api.core.errors import Invalid, Unavailable
from scm_api.users import passwords
from scm_api.users.passwords import check, check_choice, hash_of, normal


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("nine-char", "password_length"),
        ("x" * 199 + "yz", "password_length"),
        ("li.wei@example.com", "password_personal"),
        ("LI.WEI.LONG@example.com", None),
        ("Li Wei the Third", "password_personal"),
        ("qwertyuiop", "password_common"),
        ("QWERTYUIOP", "password_common"),
        ("1234567890", "password_common"),
        ("ppppppppppppp", "password_common"),
        ("password12", "password_common"),
        ("!!PassWord2026!!", "password_common"),
        ("2026-qwerty-1", "password_common"),
        ("Winter2026!!", "password_common"),
        ("12li.wei@example.com!", "password_personal"),
        ("li-wei-2026", "password_personal"),
        ("Li Wei the Third 1", "password_personal"),
        ("Acme2026!!", "password_personal"),
        ("2026 acme trading", "password_personal"),
        ("acme and others 1", None),
        ("password of mine 1", None),
        ("8391749275", None),
        ("9-a-8391-7492", None),
        ("tab\there and so on", "password_characters"),
        ("a plain sentence", None),
        ("密码也可以是中文的一句话", None),
        ("🦆🦆🦆🦆🦆🦆🦆🦆🦆🐴", None),
    ],
)
def test_a_choice_is_taken_or_refused_by_name(password: str, rule: str | None) -> None:
    def choose() -> str:
        return check_choice(
            password,
            email="li.wei@example.com",
            name="Li Wei the Third",
            organizations=("acme", "Acme Trading", "A 1"),
        )

    if rule is None:
        choose()
        return
    with pytest.raises(Invalid) as refused:
        choose()
    assert [error.rule.code for error in refused.value.errors] == [rule]
    assert password not in str(refused.value.body("en", "", ""))


def test_a_long_password_of_the_list_is_long_enough_to_be_tried() -> None:
    listed = passwords._common()
    assert 500 < len(listed) < 2000
    assert all(len(one) >= passwords.SHORTEST for one in listed)


async def test_the_same_password_typed_otherwise_is_right() -> None:
    stored = await hash_of(normal("Zürich\u00a0am See"))
    assert (await check("Zu\u0308rich am See", stored)).is_right
    assert not (await check("Zurich am See", stored)).is_right


async def test_a_hash_is_argon2id_of_at_least_the_recommended_cost() -> None:
    stored = await hash_of("a plain sentence")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert len(stored) <= 200
    assert stored != await hash_of("a plain sentence")


async def test_a_hash_of_other_costs_is_right_and_outdated() -> None:
    # argon2id of "a plain sentence" with 8 MiB.
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    checked = await check("a plain sentence", old.hash("a plain sentence"))
    assert checked.is_right
    assert checked.is_outdated
    assert not (await check("a plain sentence", await hash_of("a plain sentence"))).is_outdated


@pytest.mark.parametrize("stored", [None, "", "no hash", "$argon2id$v=19$m=1,t=1,p=1$x$y"])
async def test_nobodys_password_is_never_right(stored: str | None) -> None:
    checked = await check("a plain sentence", stored)
    assert (checked.is_right, checked.is_outdated) == (False, False)


async def test_a_flood_is_refused_before_it_takes_memory() -> None:
    release = threading.Event()
    places = passwords._AT_ONCE + passwords._WAITING
    held = [asyncio.create_task(passwords._in_thread(release.wait)) for _ in range(places)]
    await asyncio.sleep(0.05)
    try:
        with pytest.raises(Unavailable):
            await check("a plain sentence", None)
    finally:
        release.set()
        await asyncio.gather(*held)
    assert not (await check("a plain sentence", None)).is_right
