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
CREATE INDEX ix_audit_entry_object_type ON audit_entry (organization_id, object_type, tx_order, seq);
CREATE INDEX ix_audit_entry_page ON audit_entry (organization_id, tx_order, seq);
CREATE INDEX ix_audit_entry_parent ON audit_entry (organization_id, parent_id, tx_order, seq) WHERE parent_id is not null;
CREATE INDEX ix_audit_entry_principal ON audit_entry (organization_id, principal_id, tx_order, seq);
CREATE INDEX ix_audit_entry_recorded_at ON audit_entry USING brin (recorded_at);
CREATE INDEX ix_audit_entry_request ON audit_entry (organization_id, request_id);
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

-- The triggers. Each table has a function of its own, written out column by column: to compare rows
-- as JSON, field by field, costs ten times as much. A migration that changes the columns of an
-- audited table installs its function anew; a test compares them.

-- Who acts and why, from the settings of the transaction; without any, somebody at the database.
create type audit_actor as (
  kind text, id uuid, name text, user_id uuid, key_id uuid, session_id uuid, address text,
  request_id text, operation text, reason text
);

create function audit_actor() returns audit_actor language plpgsql stable as $$
declare
  actor constant jsonb := coalesce(nullif(current_setting('app.actor', true), ''), '{}');
begin
  return row(
    coalesce(actor->>'kind', 'database'), actor->>'id', coalesce(actor->>'name', session_user::text),
    actor->>'user', actor->>'key', actor->>'session', actor->>'address',
    coalesce(actor->>'request', ''), actor->>'operation',
    nullif(left(current_setting('app.reason', true), 2000), ''))::audit_actor;
end $$;

-- Makes the function `audit_<table>`. `columns` are those shown, `keys` the primary key but the
-- organization, `parent` the column of what a row is a part of (or ''). Rows are compared as
-- `old_rows` and `new_rows` of one statement, or as one row that a trigger's condition chose. Of a
-- row that is made, what has the column's constant default is left out: written for each of a
-- thousand rows, it was most of what the trail costs.
create function audit_function(name text, keys text[], parent text, columns text[], of_row boolean)
returns void language plpgsql as $body$
declare
  -- An organization is its own.
  owner constant text := case name when 'organization' then 'id' else 'organization_id' end;
  matched text;
  shown text;
  made text;
  removed text;
begin
  select string_agg(format('o.%1$I = n.%1$I', k), ' and ') into matched
  from unnest(array[owner] || array_remove(keys, owner)) k;
  select
    string_agg(format($$case when o.%1$I is distinct from n.%1$I then '"%1$s":'
      || json_build_object('old', %2$s, 'new', %3$s)::text end$$, c, was, is_now), ', '
      order by place),
    string_agg(format($$case when n.%1$I is distinct from %3$s then
      '"%1$s":{"new":' || to_json(%2$s)::text || '}' end$$, c, is_now, usual), ', '
      order by place),
    string_agg(format($$'"%1$s":{"old":' || to_json(%2$s)::text || '}'$$, c, was), ', '
      order by place)
  into shown, made, removed
  from unnest(columns) with ordinality as u(c, place)
  join pg_attribute a on a.attrelid = name::regclass and a.attname = u.c
  -- Decimals are strings, here as everywhere.
  cross join lateral (select case a.atttypid when 'numeric'::regtype then 'trim_scale(%s.%I)::text'
                                  else '%s.%I' end as pattern) p
  cross join lateral (select format(pattern, 'o', c) as was, format(pattern, 'n', c) as is_now) v
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  -- Only constants: a default that is called says something of each row.
  cross join lateral (select pg_get_expr(d.adbin, d.adrelid) as expression) e
  cross join lateral (select case when e.expression ~ '^[^(]+$' then e.expression
                                  else 'null' end as usual) x;

  execute format($create$
    create or replace function %1$I() returns trigger language plpgsql as $$
    declare
      who constant audit_actor := audit_actor();
      at constant bigint := event_tx_order();
    begin
      %2$s
      return null;
    end $$
  $create$, 'audit_' || name, case when of_row then
      audit_insert(name, owner, keys, parent, 'n', 'changed', shown,
                   format('(select old.*) o, %s n', case name
                     -- A group is told of in each of its organizations.
                     when 'organization_group' then '(select new.*, m.id as organization_id
                                                      from organization m where m.group_id = new.id)'
                     else '(select new.*)' end))
    else format($$
      if tg_op = 'INSERT' then
        %s
      elsif tg_op = 'DELETE' then
        %s
      else
        %s
        -- A row whose key is changed is another row from then on.
        if exists (select from new_rows n where not exists (
                     select from old_rows o where %5$s)) then
          %4$s
          %6$s
        end if;
      end if;$$,
      audit_insert(name, owner, keys, parent, 'n', 'created', made, 'new_rows n'),
      audit_insert(name, owner, keys, parent, 'o', 'deleted', removed, 'old_rows o'),
      audit_insert(name, owner, keys, parent, 'n', 'changed', shown,
                   format('old_rows o join new_rows n on %s', matched)),
      audit_insert(name, owner, keys, parent, 'o', 'deleted', removed, format(
        'old_rows o where not exists (select from new_rows n where %s)', matched)),
      matched,
      audit_insert(name, owner, keys, parent, 'n', 'created', made, format(
        'new_rows n where not exists (select from old_rows o where %s)', matched)))
    end);
end $body$;

-- The statement that writes the entries of the rows `source`; `r` is the one that names them.
create function audit_insert(
  name text, owner text, keys text[], parent text, r text, action text, changes text, source text
) returns text language sql as $body$
  select format($$
    insert into audit_entry (
      organization_id, id, tx_order, object_type, object_id, object_key, parent_id, action, changes,
      principal_kind, principal_id, principal_name, user_id, key_id, session_id, address,
      request_id, operation, reason)
    select c.owner, gen_random_uuid(), at, %1$L, c.id, c.key, c.parent, %2$L,
           ('{' || c.changes || '}')::jsonb, who.kind, who.id, who.name, who.user_id, who.key_id,
           who.session_id, who.address, who.request_id, who.operation, who.reason
    from (select %3$s as owner, %4$s as id, %5$s as key, %6$s as parent,
                 concat_ws(',', %7$s) as changes
          from %8$s) c
    where c.changes <> '';$$,
    name, action, format('%s.%I', r, owner),
    case when keys = '{id}' then format('%s.id', r) else 'null::uuid' end,
    case when keys = '{id}' then 'null::jsonb' else
      (select 'jsonb_build_object(' || string_agg(format('%L, %s.%I', k, r, k), ', ') || ')'
       from unnest(keys) k) end,
    case parent when '' then 'null::uuid' else format('%s.%I', r, parent) end,
    changes, source)
$body$;

-- Lets a table be audited: columns not shown, and a condition that chooses updated rows where not
-- every change of a row is somebody's decision.
create function audit_install(
  name text, keys text, parent text default '', hidden text default '', condition text default null
) returns void language plpgsql as $body$
declare
  operation text;
begin
  perform audit_function(name, string_to_array(keys, ','), parent, (
      select array_agg(a.attname::text order by a.attnum) from pg_attribute a
      where a.attrelid = name::regclass and a.attnum > 0 and not a.attisdropped
        -- An entry names its row's id itself.
        and a.attname <> all ('{organization_id,id,version,created_at,updated_at}')
        and a.attname <> all (string_to_array(hidden, ','))), condition is not null);
  if condition is not null then
    execute format('create or replace trigger audit_update after update on %I for each row
                    when (%s) execute function %I()', name, condition, 'audit_' || name);
    return;
  end if;
  foreach operation in array array['insert', 'update', 'delete'] loop
    execute format(
      'create or replace trigger audit_%s after %s on %I referencing %s for each statement %s
       execute function %I()',
      operation, operation, name,
      case operation when 'insert' then 'new table as new_rows'
                     when 'delete' then 'old table as old_rows'
                     else 'old table as old_rows new table as new_rows' end,
      -- The owner deletes nothing but the content of a sandbox, the trail included.
      case operation when 'delete' then 'when (current_user <> ''scm_owner'')' end,
      'audit_' || name);
  end loop;
end $body$;

select audit_install('organization', 'id');
select audit_install('role', 'id');
select audit_install('membership', 'id', 'user_id');
select audit_install('api_key', 'id', 'user_id',
                     'secret_sha256,previous_sha256,last_used_at,public');
select audit_install('duty_rule', 'code');
select audit_install('holiday', 'day');
select audit_install('fiscal_period', 'starts_on');
select audit_install('alert_rule', 'kind');
select audit_install('category', 'id', 'parent_id');
select audit_install('item', 'id', '', 'sku_key');
select audit_install('item_unit', 'id', 'item_id');
select audit_install('item_barcode', 'id', 'item_id');
select audit_install('item_external_reference', 'id', 'item_id');
select audit_install('supplier', 'id');
select audit_install('supplier_item', 'id', 'supplier_id',
                     'lead_time_count,lead_time_sum,lead_time_sum_squares');
select audit_install('supplier_price', 'id', 'supplier_item_id');
select audit_install('supplier_shutdown', 'id', 'supplier_id');
select audit_install('warehouse', 'id');
select audit_install('location', 'id', 'warehouse_id');
select audit_install('purchase_order', 'id');
select audit_install('purchase_order_line', 'id', 'order_id');
select audit_install('purchase_order_schedule', 'id', 'line_id');
select audit_install('receipt', 'id', 'order_id');
select audit_install('receipt_line', 'id', 'receipt_id');
select audit_install('replenishment_policy', 'id');
select audit_install('sales_plan', 'item_id,warehouse_id,day,kind', 'item_id');

-- Alerts and suggestions are raised, and alerts ended, by computation, which is no one's change;
-- what people decide about them is.
select audit_install('alert', 'id', '',
  'latest,last_seen_at,raised_count,evidence,actions',
  $$(old.status is distinct from new.status or old.assignee is distinct from new.assignee
     or old.reason is distinct from new.reason) and (audit_actor()).kind <> 'system'$$);
select audit_install('replenishment_suggestion', 'id', '', 'recipe',
  'old.decided_at is distinct from new.decided_at');
-- A group belongs to several organizations; which is in it, each one's own entries say.
select audit_install('organization_group', 'id', '', '', 'old.* is distinct from new.*');
-- A series gives numbers all day; what people change is its rule.
select audit_install('number_series', 'kind', '', 'last,day',
  'old.pattern is distinct from new.pattern or old.restarts is distinct from new.restarts');
