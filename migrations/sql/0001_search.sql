-- Item search. An index on array containment is never used under row-level security, because the
-- operator is not leakproof; so the search rows are read through a function of their owner, which
-- itself keeps to the organization of the transaction. Direct access stays under the policy.
alter table item_search no force row level security;

create function find_items(wanted text[], patterns text[]) returns setof uuid
language sql stable security definer set search_path = public, pg_temp rows 100 as
$$
  select item_id from item_search
  -- "is not distinct from", so that no index on the organization competes with the one on pieces.
  where organization_id
        is not distinct from nullif(current_setting('app.organization_id', true), '')::uuid
    and grams @> (wanted || nullif(current_setting('app.organization_id', true), ''))
    and words like all (patterns)
$$;
revoke all on function find_items(text[], text[]) from public;
grant execute on function find_items(text[], text[]) to scm_app;
