-- People, sessions, roles, keys and duties; the organization's settings.

-- Organizations that belong together, such as the legal entities of one company.
CREATE TABLE organization_group (
  id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_organization_group PRIMARY KEY (id)
);
CREATE UNIQUE INDEX uq_organization_group_code ON organization_group (lower(code));

alter table organization
  add column group_id uuid constraint fk_organization_group_id references organization_group (id),
  add column is_sandbox boolean not null default false,
  add column language varchar(8) not null default 'en',
  add column work_week varchar(7) not null default '1111100',
  add column fiscal_year_start_month integer not null default 1,
  add column allows_negative_stock boolean not null default false,
  add column over_delivery_percent numeric(18, 4) not null default 0,
  add column under_delivery_percent numeric(18, 4) not null default 0,
  add column version integer not null default 1,
  add column updated_at timestamptz not null default now(),
  add constraint ck_organization_language check (language in ('en', 'zh-CN')),
  add constraint ck_organization_work_week
    check (work_week ~ '^[01]{7}$' and work_week like '%1%'),
  add constraint ck_organization_fiscal_year check (fiscal_year_start_month between 1 and 12),
  add constraint ck_organization_tolerances check (
    over_delivery_percent between 0 and 100 and under_delivery_percent between 0 and 100);

-- Who tried to come in: logins, refusals and why, counted by the minute. Seen by the process and, where the organization is known, by its auditors.
CREATE TABLE access_log (
  id UUID NOT NULL,
  happened_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  kind VARCHAR(32) NOT NULL,
  about_organization_id UUID,
  user_id UUID,
  key_id UUID,
  address VARCHAR(64),
  request_id VARCHAR(128) DEFAULT '' NOT NULL,
  count BIGINT DEFAULT '1' NOT NULL,
  detail JSONB DEFAULT '{}' NOT NULL,
  CONSTRAINT pk_access_log PRIMARY KEY (id)
);
CREATE INDEX ix_access_log_about ON access_log (about_organization_id, happened_at, id);
CREATE INDEX ix_access_log_happened_at ON access_log (happened_at);

-- Failed logins of one account from one source, so that only that source has to wait.
CREATE TABLE login_throttle (
  scope BYTEA NOT NULL,
  failures INTEGER NOT NULL,
  first_at TIMESTAMP WITH TIME ZONE NOT NULL,
  last_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_login_throttle PRIMARY KEY (scope)
);
CREATE INDEX ix_login_throttle_last_at ON login_throttle (last_at);

-- A login that is on its way through the provider: state, nonce and PKCE verifier.
CREATE TABLE oidc_flow (
  state_sha256 BYTEA NOT NULL,
  data JSONB NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_oidc_flow PRIMARY KEY (state_sha256)
);

-- A person, known by e-mail; belongs to organizations by memberships.
CREATE TABLE user_account (
  id UUID NOT NULL,
  email VARCHAR(254) NOT NULL,
  name VARCHAR(200) NOT NULL,
  language VARCHAR(8),
  is_active BOOLEAN DEFAULT true NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_user_account PRIMARY KEY (id),
  CONSTRAINT ck_user_account_language CHECK (language in ('en', 'zh-CN'))
);
CREATE UNIQUE INDEX uq_user_account_email ON user_account (lower(email));

-- A client a person has logged in from before: failures elsewhere do not lock it out.
CREATE TABLE known_device (
  id UUID NOT NULL,
  user_id UUID NOT NULL,
  secret_sha256 BYTEA NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  last_used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_known_device PRIMARY KEY (id),
  CONSTRAINT fk_known_device_user_id FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX ix_known_device_user_id ON known_device (user_id);
CREATE UNIQUE INDEX uq_known_device_secret ON known_device (secret_sha256);

-- A person's password (argon2id) and second factor (TOTP, RFC 6238).
CREATE TABLE user_credential (
  user_id UUID NOT NULL,
  password_hash VARCHAR(200),
  password_changed_at TIMESTAMP WITH TIME ZONE,
  totp_secret VARCHAR(64),
  totp_confirmed_at TIMESTAMP WITH TIME ZONE,
  totp_last_step BIGINT,
  recovery_sha256 BYTEA[] DEFAULT '{}' NOT NULL,
  CONSTRAINT pk_user_credential PRIMARY KEY (user_id),
  CONSTRAINT ck_user_credential_totp CHECK (totp_confirmed_at is null or totp_secret is not null),
  CONSTRAINT fk_user_credential_user_id FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);

-- A person as an OIDC provider knows it.
CREATE TABLE user_identity (
  issuer VARCHAR(400) NOT NULL,
  subject VARCHAR(255) NOT NULL,
  user_id UUID NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_user_identity PRIMARY KEY (issuer, subject),
  CONSTRAINT fk_user_identity_user_id FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX ix_user_identity_user_id ON user_identity (user_id);

-- A rule of segregated duties as one organization keeps it; without a row the defaults of `access.duties` apply.
CREATE TABLE duty_rule (
  organization_id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  mode VARCHAR(8) NOT NULL,
  first TEXT[] NOT NULL,
  second TEXT[] NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_duty_rule PRIMARY KEY (organization_id, code),
  CONSTRAINT fk_duty_rule_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
  CONSTRAINT ck_duty_rule_mode CHECK (mode in ('off', 'warn', 'block')),
  CONSTRAINT ck_duty_rule_sides CHECK (cardinality(first) > 0 and cardinality(second) > 0)
);

-- A month of the books. Nothing is posted into a closed one.
CREATE TABLE fiscal_period (
  organization_id UUID NOT NULL,
  starts_on DATE NOT NULL,
  ends_on DATE NOT NULL,
  code VARCHAR(16) NOT NULL,
  closed_at TIMESTAMP WITH TIME ZONE,
  closed_by UUID,
  CONSTRAINT pk_fiscal_period PRIMARY KEY (organization_id, starts_on),
  CONSTRAINT fk_fiscal_period_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
  CONSTRAINT ck_fiscal_period_order CHECK (ends_on >= starts_on)
);

-- A day that differs from the work week: a holiday, or a worked week-end (调休).
CREATE TABLE holiday (
  organization_id UUID NOT NULL,
  day DATE NOT NULL,
  name VARCHAR(200) NOT NULL,
  is_working BOOLEAN DEFAULT false NOT NULL,
  CONSTRAINT pk_holiday PRIMARY KEY (organization_id, day),
  CONSTRAINT fk_holiday_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id)
);

-- A person in an organization: roles and limits there.
CREATE TABLE membership (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  user_id UUID NOT NULL,
  status VARCHAR(16) DEFAULT 'invited' NOT NULL,
  roles TEXT[] NOT NULL,
  joined_at TIMESTAMP WITH TIME ZONE,
  invited_as VARCHAR(200),
  warehouse_ids UUID[],
  category_ids UUID[],
  amount_limit NUMERIC(30, 4),
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_membership PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_membership_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
  CONSTRAINT ck_membership_status CHECK (status in ('invited', 'active', 'suspended')),
  CONSTRAINT ck_membership_amount_limit CHECK (amount_limit >= 0),
  CONSTRAINT fk_membership_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);
CREATE INDEX ix_membership_user_id ON membership (user_id);
CREATE UNIQUE INDEX uq_membership_user_id ON membership (organization_id, user_id);

-- An invitation or a password reset, opened once by the token in its link.
CREATE TABLE one_time_link (
  id UUID NOT NULL,
  kind VARCHAR(16) NOT NULL,
  user_id UUID NOT NULL,
  for_organization_id UUID,
  secret_sha256 BYTEA NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  used_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_one_time_link PRIMARY KEY (id),
  CONSTRAINT ck_one_time_link_kind CHECK (kind in ('invitation', 'password_reset')),
  CONSTRAINT fk_one_time_link_user_id FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE,
  CONSTRAINT fk_one_time_link_for_organization_id FOREIGN KEY(for_organization_id) REFERENCES organization (id)
);
CREATE INDEX ix_one_time_link_user_id ON one_time_link (user_id);
CREATE UNIQUE INDEX uq_one_time_link_secret ON one_time_link (secret_sha256);

-- A role an organization made itself, beside the templates of `access.permissions`.
CREATE TABLE role (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  description TEXT DEFAULT '' NOT NULL,
  permissions TEXT[] NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_role PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_role_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id)
);
CREATE UNIQUE INDEX uq_role_code ON role (organization_id, lower(code));

-- One login of a person: the family of its access and refresh tokens.
CREATE TABLE user_session (
  id UUID NOT NULL,
  user_id UUID NOT NULL,
  chosen_organization_id UUID,
  method VARCHAR(32) NOT NULL,
  address VARCHAR(64),
  user_agent VARCHAR(400),
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  last_used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  revoked_at TIMESTAMP WITH TIME ZONE,
  revoked_why VARCHAR(32),
  CONSTRAINT pk_user_session PRIMARY KEY (id),
  CONSTRAINT ck_user_session_method CHECK (method in ('password', 'password_totp', 'oidc')),
  CONSTRAINT ck_user_session_revoked_why CHECK ((revoked_at is null) = (revoked_why is null)),
  CONSTRAINT fk_user_session_user_id FOREIGN KEY(user_id) REFERENCES user_account (id),
  CONSTRAINT fk_user_session_chosen_organization_id FOREIGN KEY(chosen_organization_id) REFERENCES organization (id)
);
CREATE INDEX ix_user_session_user_id ON user_session (user_id);

-- An access or refresh token `scm_at_<public>_<secret>`; the secret as its SHA-256 only.
CREATE TABLE session_token (
  public VARCHAR(16) NOT NULL,
  session_id UUID NOT NULL,
  kind VARCHAR(8) NOT NULL,
  secret_sha256 BYTEA NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  used_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_session_token PRIMARY KEY (public),
  CONSTRAINT ck_session_token_kind CHECK (kind in ('access', 'refresh')),
  CONSTRAINT ck_session_token_secret_is_sha256 CHECK (length(secret_sha256) = 32),
  CONSTRAINT fk_session_token_session_id FOREIGN KEY(session_id) REFERENCES user_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_session_token_expires_at ON session_token (expires_at);
CREATE INDEX ix_session_token_session_id ON session_token (session_id);

alter table api_key
  add column warehouse_ids uuid[],
  add column category_ids uuid[],
  add column amount_limit numeric(30, 4),
  add column roles text[] not null default '{}',
  add column user_id uuid constraint fk_api_key_user_id references user_account (id),
  add column maker_ids uuid[] not null default '{}',
  add column is_test boolean not null default false,
  add column previous_sha256 bytea,
  add column previous_expires_at timestamptz,
  add column rotated_at timestamptz,
  add column version integer not null default 1,
  add column updated_at timestamptz not null default now(),
  add constraint ck_api_key_amount_limit check (amount_limit >= 0),
  add constraint ck_api_key_previous check (
    (previous_sha256 is null) = (previous_expires_at is null));

-- The person behind a session or a personal key: two of them are still one person.
alter table event add column user_id uuid;

-- One permission now shows all costs and prices.
update api_key set permissions = array_replace(permissions, 'stock:value', 'costs:read')
where 'stock:value' = any (permissions);
