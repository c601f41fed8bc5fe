-- The requests of the current minute, by key and by organization. A crash may forget them.
CREATE UNLOGGED TABLE rate_window (
  organization_id UUID NOT NULL,
  scope_id UUID NOT NULL,
  window_start TIMESTAMP WITH TIME ZONE NOT NULL,
  used INTEGER NOT NULL,
  CONSTRAINT pk_rate_window PRIMARY KEY (organization_id, scope_id),
  CONSTRAINT ck_rate_window_used CHECK (used >= 0)
) WITH (fillfactor = 50);  -- room to rewrite a row in its page

-- The open jobs of an organization are counted before another one is queued.
CREATE INDEX ix_job_open ON job (organization_id, kind) WHERE status IN ('queued', 'running');
