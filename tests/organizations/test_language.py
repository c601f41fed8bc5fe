"""The language of answers to requests that ask for none: the person's, else the organization's."""

from tests.organizations.support import person
from tests.support import Client, new_client

CURRENT = "/v1/organizations/current"
MISSING = "/v1/items/sku=NO-SUCH"


async def _language(api: Client, **headers: str) -> tuple[str, str]:
    response = await api.get(MISSING, headers=headers)
    assert response.status_code == 404
    return response.headers["content-language"], response.json()["title"]


async def test_the_organization_s_language_is_the_default(api: Client, other: Client) -> None:
    assert await _language(api) == ("en", "Not found")
    await api.ok("PATCH", CURRENT, json={"language": "zh-CN"})
    # A key just used may be remembered for a second: another one is looked at afresh.
    fresh = await new_client(api.runtime, api.http, organization_id=api.organization_id)
    assert await _language(fresh) == ("zh-CN", "未找到")
    assert await _language(other) == ("en", "Not found")


async def test_what_a_request_asks_for_goes_first(api: Client) -> None:
    await api.ok("PATCH", CURRENT, json={"language": "zh-CN"})
    fresh = await new_client(api.runtime, api.http, organization_id=api.organization_id)
    header = {"Accept-Language": "en-GB"}
    assert (await _language(fresh, **header))[0] == "en"


async def test_a_person_s_own_language_goes_before_the_organization_s(api: Client) -> None:
    await api.ok("PATCH", CURRENT, json={"language": "zh-CN"})
    li = await person({api.organization_id: ["buyer"]}, api)
    kim = await person({api.organization_id: ["buyer"]}, api)
    async with api.runtime.database.system() as driver:
        await driver.execute("update user_account set language = 'en' where id = $1", kim.user_id)
    for who, language in ((li, "zh-CN"), (kim, "en")):
        response = await who.call("GET", MISSING, api)
        assert response.headers["content-language"] == language
