"""What the example world has of an organization's own settings: a holiday, and a closed period."""

from tests.support import Client

_CURRENT = "/v1/organizations/current"


async def build(api: Client) -> None:
    """A holiday this side of 2030, and 2020-P01 closed: the next to close is 2020-P02."""
    day = {"day": "2030-10-01", "name": "国庆节"}
    await api.ok("PUT", f"{_CURRENT}/holidays", json={"year": 2030, "days": [day]})
    await api.ok("POST", f"{_CURRENT}/fiscal-periods/2020-P01/close", json={})
