import time, resource, cProfile, pstats
from datetime import timedelta
from uuid import UUID
from tests.conftest import *
from tests.replenishment.company import Company
from tests.replenishment.large import fill
from scm_api.demand import service as demand

async def test_bench(api):
    company = await Company.found(api)
    t=time.time(); await fill(company, 10000, 365); print("fill", time.time()-t)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        pairs=[(r['item_id'],r['warehouse_id']) for r in await tx.fetch("select item_id, warehouse_id from stock_position where organization_id=$1 order by 1,2", api.organization_id)]
        for b in (10000, 2000):
            t=time.time()
            for i in range(0,10000,b):
                h=await demand.history(tx,pairs[i:i+b],company.today-timedelta(days=365),365)
            print("history block",b,time.time()-t, h.demand.sum())
        n=await tx.fetchval("select count(*) from demand_day where organization_id=$1", api.organization_id)
        print("days", n)
    for _ in range(2):
        t=time.time(); p=await company.plan(); print("plan", time.time()-t, p['timings'], p['summary'], "rss MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024)
    print(await tx_sizes(api))
async def tx_sizes(api):
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        return dict(await tx.fetchrow("select avg(pg_column_size(recipe)) a, avg(length(recipe::text)) b from replenishment_plan_line where organization_id=$1", api.organization_id))
