import asyncio, random, time, httpx, pytest
from scm_api.core.tx import Principal
W=["轴承","螺栓","螺母","垫片","电机","齿轮","链条","皮带","油封","弹簧","滚珠","导轨","气缸","阀门","接头","软管","不锈钢","碳钢","黄铜","铝合金"]
E=["bearing","bolt","nut","washer","motor","gear","chain","belt","seal","spring","ball","rail","cylinder","valve","fitting","hose","steel","carbon","brass","alloy"]
async def test_load(api, admin):
    random.seed(1)
    t0=time.time(); worst=0
    for start in range(0,100000,1000):
        items=[]
        for n in range(start,start+1000):
            i=random.randrange(20); j=random.randrange(20)
            items.append({"sku":f"SKU-{n:06d}","name":f"{E[i]} {E[j]} M{random.randrange(99)}x{random.randrange(200)}","name_zh":W[i]+W[j]+f"{n}型","base_unit":"EA","units":[{"unit":"BOX","numerator":12}],"external_references":[{"system":"sap","reference":f"MAT{n}"}]})
        t=time.time(); await api.ok("PUT","/v1/items/bulk",json={"items":items}); worst=max(worst,time.time()-t)
        if start%10000==0: print(start, "%.2f s"%(time.time()-t), flush=True)
    print("load", time.time()-t0, "worst", worst)
    t=time.time(); r=await api.ok("PUT","/v1/items/bulk",json={"items":items}); print("unchanged again", time.time()-t, r["unchanged"])
    await admin.execute("vacuum analyze item"); await admin.execute("vacuum analyze item_search")
    for q in ["轴承","螺","轴承螺栓","bearing","SKU-050000","050000","50000","sku","m8","b","zzz","轴承 bearing m8","MAT777","型"]:
        ts=[]
        for _ in range(3):
            t=time.time(); r=await api.ok("GET","/v1/items",params={"q":q}); ts.append(time.time()-t)
        print(q, len(r["data"]), "%.1f ms"%(min(ts)*1000))
    for p in ["/v1/items","/v1/items/sku=SKU-050000","/v1/items/ref=sap:MAT5","/v1/items?status=active&limit=500"]:
        ts=[]
        for _ in range(3):
            t=time.time(); await api.ok("GET",p); ts.append(time.time()-t)
        print(p, "%.1f ms"%(min(ts)*1000))
    print(await admin.fetch("select relname, pg_size_pretty(pg_relation_size(oid)) from pg_class where relname like 'item%' or relname like '%_item_%' order by pg_relation_size(oid) desc limit 12"))
    p=await api.ok("GET","/v1/items",params={"limit":500})
    n=0; t=time.time()
    while p["has_more"] and n<20:
        p=await api.ok("GET","/v1/items",params={"limit":500,"cursor":p["next_cursor"]}); n+=1
    print("20 pages", time.time()-t)
    async with api.runtime.database.transaction(api.principal(), now=__import__("datetime").datetime.now(__import__("datetime").timezone.utc)) as tx:
        for r in await tx.fetch("explain analyze select id, sku from item where organization_id=$1 and (sku > 'SKU-090000' or (sku = 'SKU-090000' and id > $1)) order by sku, id limit 51", api.organization_id): print(r[0])
        for r in await tx.fetch("explain analyze select id, sku from item where organization_id=$1 and id in (select find_items('{轴承}', '{%轴承%}')) order by sku, id limit 51", api.organization_id): print(r[0])
