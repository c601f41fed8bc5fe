import json
async def test_doc(http):
    d=(await http.get("/openapi.json")).json()
    print("OP", json.dumps(d["components"]["schemas"]["PriceStepInput"])[:300])
    print("OP", list(d["paths"]["/v1/suppliers/{supplier}/items/{item}"]["put"]["responses"]))
