-- Everything 0001 made, in one sweep: tables first, then what they used. Alembic's own table stays.
do $$
declare
  one record;
begin
  for one in
    select c.relname from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
      and c.relname <> 'alembic_version'
  loop
    execute format('drop table %I cascade', one.relname);
  end loop;
  for one in
    select p.oid::regprocedure as signature from pg_proc p
    where p.pronamespace = 'public'::regnamespace
  loop
    execute format('drop function %s cascade', one.signature);
  end loop;
  drop type if exists stock_end, pgqueuer_status;
end $$;
