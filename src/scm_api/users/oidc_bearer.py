"""Resource-server mode: the provider's own tokens as bearer tokens, without a session of ours."""

from scm_api.access.authentication import Refused, accept_foreign, person_principal
from scm_api.core.runtime import Credentials, Runtime
from scm_api.core.tx import Principal, Source
from scm_api.users.oidc_people import person_of
from scm_api.users.oidc_provider import provider_of
from scm_api.users.oidc_tokens import read_claims, read_header


async def verify(runtime: Runtime, token: str, credentials: Credentials) -> Principal:
    """The person a token of the provider speaks for, in the organization asked for.

    Raises `Refused`; `NotFound` for an organization that is not his; `Unavailable` while the
    provider's keys cannot be had, for then nobody knows whether the token is good.
    """
    settings = runtime.settings
    provider = provider_of(settings)
    audience = settings.oidc_audience or settings.oidc_client_id
    if provider is None or settings.oidc_issuer is None or audience is None:
        raise Refused("token_malformed")
    header = read_header(token, settings.oidc_algorithms)
    claims = read_claims(
        token,
        header,
        await provider.keys_for(header),
        issuer=settings.oidc_issuer,
        audience=audience,
        now=runtime.clock(),
        leeway_seconds=settings.oidc_leeway_seconds,
    )
    source = Source(credentials.request_id, credentials.address)
    async with runtime.database.system() as driver:
        person = await person_of(driver, claims, source)
        return await person_principal(driver, person.id, person.name, credentials.organization)


accept_foreign(verify)
