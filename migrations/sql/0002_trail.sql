-- The audit trail, its seals, and the triggers that write it.

-- One changed row: who, when, from where, through which key, old and new values, why.
CREATE TABLE audit_entry (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  tx_order BIGINT DEFAULT event_tx_order() NOT NULL,
  seq BIGINT GENERATED ALWAYS AS IDENTITY,
  object_type VARCHAR(64) NOT NULL,
  object_id UUID,
  object_key JSONB,
  parent_id UUID,
  action VARCHAR(8) NOT NULL,
  changes JSONB NOT NULL,
  principal_kind VARCHAR(16) NOT NULL,
  principal_id UUID,
  principal_name VARCHAR(200) NOT NULL,
  user_id UUID,
  key_id UUID,
  session_id UUID,
  address VARCHAR(64),
  request_id VARCHAR(128) DEFAULT '' NOT NULL,
  operation VARCHAR(100),
  reason VARCHAR(2000),
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
  CONSTRAINT pk_audit_entry PRIMARY KEY (organization_id, id)
);
CREATE INDEX ix_audit_entry_object ON audit_entry (organization_id, object_id, tx_order, seq);
CREATE INDEX ix_audit_entry_page ON audit_entry (organization_id, tx_order, seq);
CREATE INDEX ix_audit_entry_parent ON audit_entry (organization_id, parent_id, tx_order, seq) WHERE parent_id is not null;
CREATE INDEX ix_audit_entry_principal ON audit_entry (organization_id, principal_id, tx_order, seq);
CREATE INDEX ix_audit_entry_recorded_at ON audit_entry USING brin (recorded_at);
CREATE INDEX ix_audit_entry_user ON audit_entry (organization_id, user_id, tx_order, seq) WHERE user_id is not null;

-- A batch of rows of one stream, sealed: the Merkle root over their leaves, chained to the batch before.
CREATE TABLE audit_seal (
  organization_id UUID NOT NULL,
  stream VARCHAR(16) NOT NULL,
  no BIGINT NOT NULL,
  format INTEGER NOT NULL,
  first_tx_order BIGINT NOT NULL,
  first_seq BIGINT NOT NULL,
  last_tx_order BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  row_count INTEGER NOT NULL,
  leaves BYTEA NOT NULL,
  root BYTEA NOT NULL,
  seal BYTEA NOT NULL,
  is_keyed BOOLEAN NOT NULL,
  sealed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_audit_seal PRIMARY KEY (organization_id, stream, no),
  CONSTRAINT fk_audit_seal_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
  CONSTRAINT ck_audit_seal_stream CHECK (stream in ('audit', 'event', 'ledger'))
);
CREATE INDEX ix_audit_seal_position ON audit_seal (organization_id, stream, last_tx_order, last_seq);
-- Hashes do not compress.
alter table audit_seal alter column leaves set storage external;

-- Entries are ordered like events, so a restored database must go on behind both.
create or replace function feed_after_restore() returns void language plpgsql as
$$ begin
  update feed_offset set value = greatest(
    value,
    coalesce((select max(tx_order) from event), 0) + 1,
    coalesce((select max(tx_order) from audit_entry), 0) + 1);
end $$;

-- Entries for changed rows, given as JSON; `olds` and `news` match by place, one of them is null for
-- rows made or removed.
create function audit_write(
  table_name text, hidden text[], keys text[], parent text, act text, olds jsonb[], news jsonb[]
) returns void language sql as $$
  insert into audit_entry (
    organization_id, id, object_type, object_id, object_key, parent_id, action, changes,
    principal_kind, principal_id, principal_name, user_id, key_id, session_id, address, request_id,
    operation, reason)
  select
    coalesce(r.any_row->>'organization_id', r.any_row->>'id')::uuid, gen_random_uuid(), table_name,
    case when keys = '{id}' then (r.any_row->>'id')::uuid end,
    case when keys <> '{id}' then
      (select jsonb_object_agg(k, r.any_row->k) from unnest(keys) k) end,
    (r.any_row->>parent)::uuid, act, r.changes,
    coalesce(a.actor->>'kind', 'database'), (a.actor->>'id')::uuid,
    coalesce(a.actor->>'name', session_user::text), (a.actor->>'user')::uuid,
    (a.actor->>'key')::uuid, (a.actor->>'session')::uuid, a.actor->>'address',
    coalesce(a.actor->>'request', ''), a.actor->>'operation',
    nullif(left(current_setting('app.reason', true), 2000), '')
  from (
    select coalesce(c.new, c.old) as any_row, c.place, (
      select jsonb_object_agg(f.key, case
               when c.old is null then jsonb_build_object('new', f.value)
               when c.new is null then jsonb_build_object('old', f.value)
               else jsonb_build_object('old', c.old->f.key, 'new', f.value) end)
      from jsonb_each(coalesce(c.new, c.old)) f
      where f.key <> all (hidden) and case
        when c.old is null or c.new is null then f.value <> 'null'
        else f.value is distinct from c.old->f.key end) as changes
    from unnest(olds, news) with ordinality as c(old, new, place)
  ) r, (select coalesce(nullif(current_setting('app.actor', true), ''), '{}')::jsonb as actor) a
  where r.changes is not null
  order by r.place
$$;

-- One statement's changed rows. Arguments, each a list with commas: columns not shown, the key, the
-- parent's column, and kinds of actors whose changes are their own record elsewhere.
create function audit_changes() returns trigger language plpgsql as $$
declare
  hidden text[] := string_to_array(tg_argv[0], ',') || '{organization_id}';
  keys text[] := string_to_array(tg_argv[1], ',');
  parent text := tg_argv[2];
  act text := 'changed';
  olds jsonb[];
  news jsonb[];
begin
  if nullif(current_setting('app.actor', true), '')::jsonb->>'kind'
     = any (string_to_array(tg_argv[3], ',')) then
    return null;
  end if;
  if tg_op = 'INSERT' then
    select array_agg(to_jsonb(n)) into news from new_rows n;
    act := 'created';
    olds := array_fill(null::jsonb, array[coalesce(cardinality(news), 0)]);
  elsif tg_op = 'DELETE' then
    select array_agg(to_jsonb(o)) into olds from old_rows o;
    act := 'deleted';
    news := array_fill(null::jsonb, array[coalesce(cardinality(olds), 0)]);
  else
    select array_agg(o.old order by o.key), array_agg(n.new order by o.key) into olds, news
    from (select to_jsonb(t) as old, audit_key(to_jsonb(t), keys) as key from old_rows t) o
    join (select to_jsonb(t) as new, audit_key(to_jsonb(t), keys) as key from new_rows t) n
      using (key);
  end if;
  -- Such a trigger fires for a statement that touched no row, too.
  if cardinality(news) > 0 and cardinality(olds) > 0 then
    perform audit_write(tg_table_name, hidden, keys, parent, act, olds, news);
  end if;
  return null;
end $$;

create function audit_key(changed jsonb, keys text[]) returns text language sql immutable as
$$ select string_agg(changed->>k, '/' order by k) from unnest(keys) k $$;

-- One row that a trigger's condition chose.
create function audit_row() returns trigger language plpgsql as $$
begin
  perform audit_write(tg_table_name, string_to_array(tg_argv[0], ',') || '{organization_id}',
                      string_to_array(tg_argv[1], ','), tg_argv[2], 'changed',
                      array[to_jsonb(old)], array[to_jsonb(new)]);
  return null;
end $$;

do $$
declare
  one record;
  operation text;
begin
  for one in
    select * from (values
      ('organization', 'id', '', '', ''),
      ('role', 'id', '', '', ''),
      ('membership', 'id', 'user_id', '', ''),
      ('api_key', 'id', 'user_id', 'secret_sha256,previous_sha256,last_used_at,public', ''),
      ('duty_rule', 'code', '', '', ''),
      ('holiday', 'day', '', '', ''),
      ('fiscal_period', 'starts_on', '', '', ''),
      ('alert_rule', 'kind', '', '', ''),
      ('category', 'id', 'parent_id', '', ''),
      ('item', 'id', '', 'sku_key', ''),
      ('item_unit', 'id', 'item_id', '', ''),
      ('item_barcode', 'id', 'item_id', '', ''),
      ('item_external_reference', 'id', 'item_id', '', ''),
      ('supplier', 'id', '', '', ''),
      ('supplier_item', 'id', 'supplier_id',
       'lead_time_count,lead_time_sum,lead_time_sum_squares', ''),
      ('supplier_price', 'id', 'supplier_item_id', '', ''),
      ('supplier_shutdown', 'id', 'supplier_id', '', ''),
      ('warehouse', 'id', '', '', ''),
      ('location', 'id', 'warehouse_id', '', ''),
      ('purchase_order', 'id', '', '', ''),
      ('purchase_order_line', 'id', 'order_id', '', ''),
      ('purchase_order_schedule', 'id', 'line_id', '', ''),
      ('receipt', 'id', 'order_id', '', ''),
      ('receipt_line', 'id', 'receipt_id', '', ''),
      ('replenishment_policy', 'id', '', '', ''),
      ('sales_plan', 'item_id,warehouse_id,day,kind', 'item_id', '', '')
    ) as t(name, keys, parent, hidden, unheard)
  loop
    foreach operation in array array['insert', 'update', 'delete'] loop
      execute format(
        'create trigger audit_%s after %s on %I referencing %s for each statement
         execute function audit_changes(%L, %L, %L, %L)',
        operation, operation, one.name,
        case operation when 'insert' then 'new table as new_rows'
                       when 'delete' then 'old table as old_rows'
                       else 'old table as old_rows new table as new_rows' end,
        'version,created_at,updated_at,' || one.hidden, one.keys, one.parent, one.unheard);
    end loop;
  end loop;
end $$;

-- Alerts and suggestions are raised by computation, which is no one's change; what people decide
-- about them is.
create trigger audit_update after update on alert for each row
when (old.status is distinct from new.status or old.assignee is distinct from new.assignee
      or old.reason is distinct from new.reason)
execute function audit_row(
  'version,created_at,updated_at,latest,last_seen_at,raised_count,evidence,actions', 'id', '');
create trigger audit_update after update on replenishment_suggestion for each row
when (old.decided_at is distinct from new.decided_at)
execute function audit_row('version,created_at,updated_at,recipe', 'id', '');
