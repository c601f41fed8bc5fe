"""The settings of a process, read once from SCM_*; nothing else reads the environment."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SignatureAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]


class Settings(BaseSettings):
    """Settings of one process. Without `SCM_DATABASE_URL` the embedded PostgreSQL is used."""

    model_config = SettingsConfigDict(env_prefix="SCM_", env_ignore_empty=True, frozen=True)

    database_url: str | None = Field(
        default=None, description="PostgreSQL 17+ as the application role, postgresql://..."
    )
    migration_database_url: str | None = Field(
        default=None, description="The same database as a role that may create roles and tables."
    )
    data_dir: Path | None = Field(default=None, description="Folder of the embedded PostgreSQL.")
    durable: bool = Field(
        default=True,
        description="False relaxes fsync of the embedded server: tests and demos only.",
    )
    db_pooler: Literal["none", "transaction"] = Field(
        default="none", description="'transaction' behind pgbouncer in transaction mode."
    )
    db_pool_size: int = Field(default=10, ge=1, le=200)
    db_pool_timeout_seconds: float = Field(default=5.0, gt=0)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_body_bytes: int = Field(default=1_000_000, ge=1_000, le=100_000_000)
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s#?]+$",
        description="Where people reach the pages of the product: what links in invitations and "
        "password resets begin with.",
    )
    cors_origins: tuple[str, ...] = ()
    outgoing_allow: tuple[str, ...] = Field(
        default=(),
        description="Exact origins that outgoing calls may reach though they are not public.",
    )
    key_cache_seconds: float = Field(
        default=1.0, ge=0, le=1.0, description="How long a checked API key is believed."
    )
    idempotency_hours: int = Field(default=72, ge=24)
    event_poll_seconds: float = Field(default=0.25, gt=0)
    seal_seconds: float = Field(
        default=5.0,
        gt=0,
        description="How often a worker seals new rows of trail, feed and ledger.",
    )
    seal_key: SecretStr | None = Field(
        default=None,
        description="Seals are HMACs with this key, so that nobody without it can make them anew. "
        "Set it once: seals made with another key cannot be verified any more.",
    )
    rate_limit_key_per_minute: int = Field(
        default=0, ge=0, description="Requests of one key or session; 0: no limit."
    )
    rate_limit_organization_per_minute: int = Field(
        default=0, ge=0, description="Requests of one organization; 0: no limit."
    )
    rate_limit_address_per_minute: int = Field(
        default=300,
        ge=0,
        description="Requests without credentials from one address, in each process; 0: no limit.",
    )
    request_timeout_seconds: float = Field(
        default=35.0, gt=0, description="The longest a request may take; above statement_timeout."
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="The identity provider: exactly the `iss` of its tokens; needs the extra oidc.",
    )
    oidc_client_id: str | None = Field(default=None, description="What the provider calls us.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Without it we log in as a public client, by PKCE alone."
    )
    oidc_audience: str | None = Field(
        default=None,
        description="`aud` of tokens that callers send as bearer tokens; else the client id.",
    )
    oidc_algorithms: tuple[SignatureAlgorithm, ...] = Field(
        default=("RS256", "ES256", "PS256", "EdDSA"),
        min_length=1,
        description="Signatures we believe; only those with a public key can be named.",
    )
    oidc_redirect_uris: tuple[str, ...] = Field(
        default=(), description="Where a login may return to, compared character by character."
    )
    oidc_leeway_seconds: int = Field(
        default=30, ge=0, le=120, description="How far the provider's clock may be off."
    )


@lru_cache
def settings() -> Settings:
    """The process's settings; the environment is read at the first call only."""
    return Settings()
