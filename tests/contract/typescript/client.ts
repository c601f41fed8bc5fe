// A short business day through the generated types: create, replay, conflict, stock, shortage.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string | undefined> };

type Problem = components["schemas"]["ProblemDocument"];

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

const api = createClient<paths>({
  baseUrl: process.env["SCM_URL"] ?? "",
  headers: { Authorization: `Bearer ${process.env["SCM_KEY"]}` },
});

const body: components["schemas"]["ItemCreate"] = { sku: "TS-1", name: "轴承", base_unit: "EA" };
const params = { header: { "Idempotency-Key": "ts-1" } };
const made = await api.POST("/v1/items", { body, params });
check(made.data !== undefined, "the item is created");
check(made.response.headers.get("etag") === '"1"', "the answer names its version");
const again = await api.POST("/v1/items", { body, params });
check(again.data?.id === made.data.id, "a replay is the same item");

const refused = await api.POST("/v1/items", { body });
const problem: Problem | undefined = refused.error;
check(problem?.code === "duplicate", "a duplicate is named by its code");

const warehouse = await api.POST("/v1/warehouses", { body: { code: "WH-1", name: "Shanghai" } });
check(warehouse.response.status === 201, "the warehouse is created");
const line = { item: { sku: "TS-1" }, warehouse: { code: "WH-1" } };
const opening = await api.POST("/v1/stock-movements", {
  body: { type: "opening", lines: [{ ...line, quantity: "10", unit_cost: "4.50" }] },
});
check(opening.data?.lines[0]?.value === "45.0000", "value is an exact decimal string");
const issue = await api.POST("/v1/stock-movements", {
  body: { type: "sales_issue", lines: [{ ...line, quantity: "11" }] },
});
check(issue.error?.code === "insufficient_stock", "nobody sells what is not there");

const page = await api.GET("/v1/stock", { params: { query: { limit: 10 } } });
check(page.data?.data[0]?.available === "10.0000", "the refused issue changed nothing");
const missing = await api.GET("/v1/items/{item}", { params: { path: { item: "sku=NONE" } } });
check(missing.error?.status === 404, "what is not there is a problem document");
console.log("ok");
