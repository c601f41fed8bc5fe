-- The order of the event feed. Transaction ids order it; the offset keeps that order when the data
-- moves to a new cluster, whose transaction ids begin anew (feed_after_restore).
create table feed_offset (
  is_only boolean primary key default true check (is_only),
  value bigint not null
);
insert into feed_offset (value) values (0);

create function event_tx_order() returns bigint language sql volatile parallel unsafe as
$$ select pg_current_xact_id()::text::bigint + (select value from feed_offset) $$;

-- Every event below this is committed or rolled back for good: no late commit can slip in before.
create function event_horizon() returns bigint language sql stable as
$$ select pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select value from feed_offset) $$;

create function feed_after_restore() returns void language plpgsql as
$$ begin
  update feed_offset
  set value = greatest(value, coalesce((select max(tx_order) from event), 0) + 1);
end $$;
