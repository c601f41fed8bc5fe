"""People of the example world, made for the one call: nobody's tokens can stand in a document."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pyotp

from tests.contract import world_oidc
from tests.support import Client, new_client
from tests.users.people import Person, invite, join, new_email

if TYPE_CHECKING:
    from tests.contract.spec import Call


async def fitted(id: str, call: "Call", caller: Client) -> "Call":
    """The example with people, tokens and links that there are."""
    fit = _FITS.get(id)
    if fit is not None:
        return await fit(call, caller)
    # Whoever it is may ask who he is; all else about oneself takes a person.
    if id.startswith("me_") and id != "me_get":
        return _as(await join(caller), call)
    return call


def _as(person: Person, call: "Call", body: Any = None) -> "Call":
    """The call, made by a person."""
    headers = {"Authorization": f"Bearer {person.tokens['access_token']}"}
    called: Call = call.with_(headers=headers)
    return called if body is None else called.with_(body={**call.body, **body})


async def _member(call: "Call", caller: Client) -> "Call":
    fit: Call = call.with_(path={"user": str((await join(caller)).id)})
    return fit


async def _invited(call: "Call", caller: Client) -> "Call":
    fit: Call = call.with_(path={"user": (await invite(caller, new_email()))["id"]})
    return fit


async def _new_email(call: "Call", caller: Client) -> "Call":
    fit: Call = call.with_(body={**call.body, "email": new_email()})
    return fit


async def _login(call: "Call", caller: Client) -> "Call":
    person = await join(caller)
    fit: Call = call.with_(body={"email": person.email, "password": person.password})
    return fit


async def _refresh(call: "Call", caller: Client) -> "Call":
    token = (await join(caller)).tokens["refresh_token"]
    fit: Call = call.with_(body={"refresh_token": token})
    return fit


async def _logout(call: "Call", caller: Client) -> "Call":
    return _as(await join(caller), call)


async def _accept(call: "Call", caller: Client) -> "Call":
    invited = await invite(caller, new_email())
    fit: Call = call.with_(body={**call.body, "token": invited["invitation_token"]})
    return fit


async def _accept_own(call: "Call", caller: Client) -> "Call":
    person = await join(await new_client(caller.runtime, caller.http))
    invited = await invite(caller, person.email)
    return _as(person, call, {"token": invited["invitation_token"]})


async def _reset(call: "Call", caller: Client) -> "Call":
    person = await join(caller)
    link = await caller.ok("POST", f"/v1/users/{person.id}/password-reset")
    fit: Call = call.with_(body={**call.body, "token": link["reset_token"]})
    return fit


async def _look(call: "Call", caller: Client) -> "Call":
    invited = await invite(caller, new_email())
    fit: Call = call.with_(body={"token": invited["invitation_token"]})
    return fit


async def _look_at_reset(call: "Call", caller: Client) -> "Call":
    link = await caller.ok("POST", f"/v1/users/{(await join(caller)).id}/password-reset")
    fit: Call = call.with_(body={"token": link["reset_token"]})
    return fit


async def _with_totp(call: "Call", caller: Client) -> "Call":
    person = await join(caller)
    await person.ok("POST", "/v1/me/totp/confirm", await _begun(person))
    fit: Call = call.with_(path={"user": f"email={person.email}"})
    return fit


async def _end_session(call: "Call", caller: Client) -> "Call":
    person = await join(caller)
    here = person.tokens
    await person.log_in()
    there = person.tokens["session_id"]
    person.tokens = here
    return _as(person, call).with_(path={"session": there})


async def _begun(person: Person) -> dict[str, str]:
    begun = await person.ok("POST", "/v1/me/totp", {"password": person.password})
    return {"totp_code": pyotp.TOTP(begun["secret"]).now()}


async def _confirm_totp(call: "Call", caller: Client) -> "Call":
    person = await join(caller)
    return _as(person, call, await _begun(person))


async def _remove_totp(call: "Call", caller: Client) -> "Call":
    person = await join(caller)
    codes = await person.ok("POST", "/v1/me/totp/confirm", await _begun(person))
    proof = {"password": person.password, "recovery_code": codes["recovery_codes"][0]}
    return _as(person, call).with_(body=proof)


async def _link(call: "Call", caller: Client) -> "Call":
    person, came_back = await world_oidc.linking(caller)
    return _as(person, call, came_back)


async def _unlink(call: "Call", caller: Client) -> "Call":
    return _as(await world_oidc.linked(caller), call)


_FITS: dict[str, Callable[["Call", Client], Awaitable["Call"]]] = {
    "users_get": _member,
    "users_change": _member,
    "users_remove": _member,
    "users_offer_reset": _member,
    "users_remove_totp": _with_totp,
    "users_end_sessions": _member,
    "users_invite": _new_email,
    "users_invite_again": _invited,
    "sessions_create": _login,
    "sessions_create_oidc": world_oidc.log_in,
    "sessions_refresh": _refresh,
    "sessions_revoke": _logout,
    "sessions_accept_invitation": _accept,
    "sessions_reset_password": _reset,
    "sessions_look_at_invitation": _look,
    "sessions_look_at_reset": _look_at_reset,
    "me_accept_own_invitation": _accept_own,
    "me_end_session": _end_session,
    "me_link_identity": _link,
    "me_unlink_identities": _unlink,
    "me_confirm_totp": _confirm_totp,
    "me_remove_totp": _remove_totp,
}
