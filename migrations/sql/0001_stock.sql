-- The ledger's functions.
select 1;
