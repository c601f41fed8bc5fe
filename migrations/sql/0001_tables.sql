-- Every table with its keys, checks and indexes, in the order of their foreign keys.

-- How one kind of alert is raised here; without a row the defaults in alerts.rules apply.
CREATE TABLE alert_rule (
  organization_id UUID NOT NULL,
  kind VARCHAR(32) NOT NULL,
  severity VARCHAR(16) NOT NULL,
  is_enabled BOOLEAN NOT NULL,
  thresholds JSONB NOT NULL,
  version INTEGER NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_alert_rule PRIMARY KEY (organization_id, kind),
  CONSTRAINT ck_alert_rule_kind CHECK (kind in ('stocked_out', 'potential_stockout', 'low_stock', 'overstock', 'negative_cover_trend', 'late_order', 'unconfirmed_order')),
  CONSTRAINT ck_alert_rule_severity CHECK (severity in ('low', 'medium', 'high', 'critical'))
);

-- A node of the category tree; policies are inherited along it.
CREATE TABLE category (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  name_zh VARCHAR(200),
  parent_id UUID,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_category PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_category_organization_id_parent_id FOREIGN KEY(organization_id, parent_id) REFERENCES category (organization_id, id),
  CONSTRAINT ck_category_not_its_own_parent CHECK (parent_id <> id)
);
CREATE INDEX ix_category_parent_id ON category (organization_id, parent_id);
CREATE UNIQUE INDEX uq_category_code ON category (organization_id, lower(code));

-- One thing that happened: who, when, through which request, about what. Append-only.
CREATE TABLE event (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  tx_order BIGINT DEFAULT event_tx_order() NOT NULL,
  seq BIGINT GENERATED ALWAYS AS IDENTITY,
  type VARCHAR NOT NULL,
  subject_type VARCHAR NOT NULL,
  subject_id UUID NOT NULL,
  data JSONB NOT NULL,
  principal_kind VARCHAR NOT NULL,
  principal_id UUID NOT NULL,
  principal_name VARCHAR NOT NULL,
  request_id VARCHAR NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_event PRIMARY KEY (organization_id, id)
);
CREATE INDEX ix_event_feed ON event (organization_id, tx_order, seq);
CREATE INDEX ix_event_subject ON event (organization_id, subject_id, tx_order, seq);

-- How far one consumer has read one organization's events.
CREATE TABLE event_consumer (
  organization_id UUID NOT NULL,
  name VARCHAR NOT NULL,
  tx_order BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  CONSTRAINT pk_event_consumer PRIMARY KEY (organization_id, name)
);

-- One remembered write and its answer; purged after `SCM_IDEMPOTENCY_HOURS`.
CREATE TABLE idempotency_key (
  organization_id UUID NOT NULL,
  principal_id UUID NOT NULL,
  method VARCHAR NOT NULL,
  path VARCHAR NOT NULL,
  key VARCHAR NOT NULL,
  fingerprint BYTEA NOT NULL,
  status INTEGER,
  headers JSONB,
  body BYTEA,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_idempotency_key PRIMARY KEY (organization_id, principal_id, method, path, key),
  CONSTRAINT ck_idempotency_key_key_length CHECK (length(key) between 1 and 255)
);
CREATE INDEX ix_idempotency_key_created_at ON idempotency_key (created_at);

-- One piece of background work, as its caller sees it.
CREATE TABLE job (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  kind VARCHAR NOT NULL,
  status VARCHAR DEFAULT 'queued' NOT NULL,
  params JSONB NOT NULL,
  principal JSONB NOT NULL,
  done INTEGER DEFAULT '0' NOT NULL,
  total INTEGER,
  unit VARCHAR DEFAULT 'steps' NOT NULL,
  message VARCHAR DEFAULT '' NOT NULL,
  is_cancel_requested BOOLEAN DEFAULT false NOT NULL,
  result JSONB,
  error JSONB,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  started_at TIMESTAMP WITH TIME ZONE,
  finished_at TIMESTAMP WITH TIME ZONE,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_job PRIMARY KEY (organization_id, id),
  CONSTRAINT ck_job_status CHECK (status in ('queued', 'running', 'succeeded', 'failed', 'canceled')),
  CONSTRAINT ck_job_progress CHECK (done >= 0 and (total is null or total >= 0))
);
CREATE INDEX ix_job_created_at ON job (organization_id, created_at);

-- The last number given out of one series. Its row lock makes the series gapless: a document that
-- rolls back gives its number back.
CREATE TABLE number_series (
  organization_id UUID NOT NULL,
  kind VARCHAR NOT NULL,
  last BIGINT NOT NULL,
  CONSTRAINT pk_number_series PRIMARY KEY (organization_id, kind)
);

-- A company or legal entity; every business row belongs to exactly one.
CREATE TABLE organization (
  id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  base_currency VARCHAR(3) NOT NULL,
  time_zone VARCHAR(64) DEFAULT 'UTC' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_organization PRIMARY KEY (id),
  CONSTRAINT ck_organization_base_currency CHECK (base_currency ~ '^[A-Z]{3}$')
);
CREATE UNIQUE INDEX uq_organization_code ON organization (lower(code));

-- One planning run: what it looked at and what came out. Its state is that of its job, which is
-- forgotten earlier; then the row tells how the plan ended.
CREATE TABLE replenishment_plan (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  job_id UUID NOT NULL,
  as_of DATE NOT NULL,
  request JSONB NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  created_by VARCHAR NOT NULL,
  completed_at TIMESTAMP WITH TIME ZONE,
  status VARCHAR(16) DEFAULT 'queued' NOT NULL,
  error JSONB,
  summary JSONB,
  timings JSONB,
  input_hash VARCHAR(64),
  result_hash VARCHAR(64),
  CONSTRAINT pk_replenishment_plan PRIMARY KEY (organization_id, id),
  CONSTRAINT ck_replenishment_plan_status CHECK (status in ('queued', 'succeeded', 'failed', 'canceled'))
);
CREATE INDEX ix_replenishment_plan_created_at ON replenishment_plan (organization_id, created_at, id);

-- The header of one posting. Never changed: a mistake is reversed by a new document.
CREATE TABLE stock_document (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  external_ref VARCHAR(64),
  type VARCHAR(32) NOT NULL,
  reason VARCHAR(2000) DEFAULT '' NOT NULL,
  reference_type VARCHAR(32),
  reference_id UUID,
  reference VARCHAR(64),
  reversal_of UUID,
  occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
  line_count INTEGER NOT NULL,
  principal_id UUID NOT NULL,
  CONSTRAINT pk_stock_document PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_stock_document_organization_id_reversal_of FOREIGN KEY(organization_id, reversal_of) REFERENCES stock_document (organization_id, id),
  CONSTRAINT ck_stock_document_type CHECK (type in ('purchase_receipt', 'return_to_supplier', 'sales_issue', 'customer_return', 'consumption', 'production_issue', 'production_receipt', 'scrap', 'opening', 'count_gain', 'count_loss', 'adjustment_in', 'adjustment_out', 'transfer', 'to_quality', 'from_quality', 'to_blocked', 'from_blocked')),
  CONSTRAINT ck_stock_document_line_count CHECK (line_count between 1 and 10000)
);
CREATE INDEX ix_stock_document_recorded_at ON stock_document (organization_id, recorded_at, id);
CREATE INDEX ix_stock_document_reference ON stock_document (organization_id, reference_type, reference_id);
CREATE UNIQUE INDEX uq_stock_document_external_ref ON stock_document (organization_id, external_ref) WHERE external_ref is not null;
CREATE UNIQUE INDEX uq_stock_document_reversal_of ON stock_document (organization_id, reversal_of) WHERE reversal_of is not null;

-- A company we buy from.
CREATE TABLE supplier (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  name_zh VARCHAR(200),
  status VARCHAR(16) DEFAULT 'active' NOT NULL,
  currency VARCHAR(3) NOT NULL,
  country VARCHAR(2),
  lead_time_days INTEGER,
  email VARCHAR(254),
  external_ref VARCHAR(64),
  note TEXT DEFAULT '' NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_supplier PRIMARY KEY (organization_id, id),
  CONSTRAINT ck_supplier_status CHECK (status in ('active', 'on_watch', 'blocked')),
  CONSTRAINT ck_supplier_currency CHECK (currency ~ '^[A-Z]{3}$'),
  CONSTRAINT ck_supplier_lead_time_days CHECK (lead_time_days between 0 and 730)
);
CREATE UNIQUE INDEX uq_supplier_code ON supplier (organization_id, lower(code));
CREATE UNIQUE INDEX uq_supplier_external_ref ON supplier (organization_id, external_ref) WHERE external_ref is not null;

-- A building, shop or site that holds stock and has its own replenishment policy.
CREATE TABLE warehouse (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  name_zh VARCHAR(200),
  time_zone VARCHAR(64) NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  allows_negative_stock BOOLEAN DEFAULT false NOT NULL,
  external_ref VARCHAR(64),
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_warehouse PRIMARY KEY (organization_id, id)
);
CREATE UNIQUE INDEX uq_warehouse_code ON warehouse (organization_id, lower(code));
CREATE UNIQUE INDEX uq_warehouse_external_ref ON warehouse (organization_id, external_ref) WHERE external_ref is not null;

-- A bearer key `scm_live_<public>_<secret>`: the secret is kept as its SHA-256 only.
CREATE TABLE api_key (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  public VARCHAR(16) NOT NULL,
  name VARCHAR(200) NOT NULL,
  secret_sha256 BYTEA NOT NULL,
  permissions TEXT[] NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE,
  revoked_at TIMESTAMP WITH TIME ZONE,
  last_used_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_api_key PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_api_key_organization_id FOREIGN KEY(organization_id) REFERENCES organization (id),
  CONSTRAINT ck_api_key_secret_is_sha256 CHECK (length(secret_sha256) = 32)
);
CREATE UNIQUE INDEX uq_api_key_public ON api_key (public);

-- A stock-keeping unit. All quantities are kept in its base unit.
CREATE TABLE item (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  sku VARCHAR(64) NOT NULL,
  sku_key VARCHAR(128) NOT NULL,
  name VARCHAR(200) NOT NULL,
  name_zh VARCHAR(200),
  base_unit VARCHAR(8) NOT NULL,
  category_id UUID,
  status VARCHAR(16) DEFAULT 'active' NOT NULL,
  cost_method VARCHAR(16) DEFAULT 'moving_average' NOT NULL,
  is_lot_tracked BOOLEAN DEFAULT false NOT NULL,
  is_serial_tracked BOOLEAN DEFAULT false NOT NULL,
  is_expiry_tracked BOOLEAN DEFAULT false NOT NULL,
  note TEXT DEFAULT '' NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_item PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_item_organization_id_category_id FOREIGN KEY(organization_id, category_id) REFERENCES category (organization_id, id),
  CONSTRAINT ck_item_status CHECK (status in ('active', 'blocked', 'obsolete')),
  CONSTRAINT ck_item_cost_method CHECK (cost_method in ('moving_average'))
);
CREATE INDEX ix_item_category_id ON item (organization_id, category_id) WHERE category_id is not null;
CREATE INDEX ix_item_page ON item (organization_id, sku, id);
CREATE INDEX ix_item_updated_at ON item (updated_at, organization_id);
CREATE UNIQUE INDEX uq_item_sku ON item (organization_id, sku_key);

-- A place goods come from or go to. `internal` and `transit` places hold our stock; the other kinds
-- are the outside world (no warehouse), so that every movement has two ends.
CREATE TABLE location (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  warehouse_id UUID,
  code VARCHAR(64) NOT NULL,
  name VARCHAR(200) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  is_default BOOLEAN DEFAULT false NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_location PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_location_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT uq_location_organization_id_id_warehouse_id UNIQUE (organization_id, id, warehouse_id),
  CONSTRAINT ck_location_kind CHECK (kind in ('internal', 'transit', 'supplier', 'customer', 'production', 'loss', 'opening')),
  CONSTRAINT ck_location_place CHECK ((kind in ('internal', 'transit')) = (warehouse_id is not null))
);
CREATE UNIQUE INDEX uq_location_code ON location (organization_id, warehouse_id, lower(code)) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX uq_location_default ON location (organization_id, warehouse_id) WHERE is_default;

-- The header: one supplier, one currency, one state.
CREATE TABLE purchase_order (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  number VARCHAR(32) NOT NULL,
  supplier_id UUID NOT NULL,
  status VARCHAR(16) DEFAULT 'draft' NOT NULL,
  receipt_status VARCHAR(16) DEFAULT 'none' NOT NULL,
  confirmation_status VARCHAR(16) DEFAULT 'none' NOT NULL,
  close_reason VARCHAR(32),
  is_on_hold BOOLEAN DEFAULT false NOT NULL,
  hold_reason VARCHAR(200),
  revision INTEGER DEFAULT '1' NOT NULL,
  currency VARCHAR(3) NOT NULL,
  exchange_rate NUMERIC(20, 10) DEFAULT '1' NOT NULL,
  amount NUMERIC(30, 4) NOT NULL,
  line_count INTEGER NOT NULL,
  dated_on DATE NOT NULL,
  ordered_on DATE,
  next_due_on DATE,
  approved_at TIMESTAMP WITH TIME ZONE,
  issued_at TIMESTAMP WITH TIME ZONE,
  closed_at TIMESTAMP WITH TIME ZONE,
  external_ref VARCHAR(64),
  note TEXT DEFAULT '' NOT NULL,
  warnings JSONB DEFAULT '[]' NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_purchase_order PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_purchase_order_organization_id_supplier_id FOREIGN KEY(organization_id, supplier_id) REFERENCES supplier (organization_id, id),
  CONSTRAINT ck_purchase_order_status CHECK (status in ('draft', 'approved', 'issued', 'closed', 'cancelled')),
  CONSTRAINT ck_purchase_order_receipt_status CHECK (receipt_status in ('none', 'partial', 'full', 'over')),
  CONSTRAINT ck_purchase_order_confirmation_status CHECK (confirmation_status in ('none', 'partial', 'confirmed', 'changed', 'rejected')),
  CONSTRAINT ck_purchase_order_close_reason CHECK (close_reason in ('completed', 'short_closed', 'cancelled_remainder')),
  CONSTRAINT ck_purchase_order_closed_why CHECK ((status = 'closed') = (close_reason is not null)),
  CONSTRAINT ck_purchase_order_held_why CHECK (is_on_hold = (hold_reason is not null)),
  CONSTRAINT ck_purchase_order_ordered_when CHECK (status not in ('issued', 'closed') or ordered_on is not null),
  CONSTRAINT ck_purchase_order_exchange_rate CHECK (exchange_rate > 0),
  CONSTRAINT ck_purchase_order_amount CHECK (amount >= 0),
  CONSTRAINT ck_purchase_order_currency CHECK (currency ~ '^[A-Z]{3}$')
);
CREATE INDEX ix_purchase_order_next_due_on ON purchase_order (organization_id, next_due_on) WHERE next_due_on is not null;
CREATE INDEX ix_purchase_order_status ON purchase_order (organization_id, status, id);
CREATE INDEX ix_purchase_order_supplier_id ON purchase_order (organization_id, supplier_id, id);
CREATE INDEX ix_purchase_order_updated_at ON purchase_order (organization_id, updated_at, id);
CREATE UNIQUE INDEX uq_purchase_order_external_ref ON purchase_order (organization_id, external_ref) WHERE external_ref is not null;
CREATE UNIQUE INDEX uq_purchase_order_number ON purchase_order (organization_id, lower(number));

-- One item-location of a plan, with or without a suggestion, and why.
CREATE TABLE replenishment_plan_line (
  organization_id UUID NOT NULL,
  plan_id UUID NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  outcome VARCHAR(32) NOT NULL,
  supplier_id UUID,
  quantity NUMERIC(24, 4) NOT NULL,
  value NUMERIC(30, 4) NOT NULL,
  currency VARCHAR(3) NOT NULL,
  on_hand NUMERIC(24, 4) NOT NULL,
  reserved NUMERIC(24, 4) NOT NULL,
  on_order NUMERIC(24, 4) NOT NULL,
  position NUMERIC(24, 4) NOT NULL,
  daily_demand NUMERIC(24, 4) NOT NULL,
  safety_stock NUMERIC(24, 4) NOT NULL,
  reorder_point NUMERIC(24, 4) NOT NULL,
  order_up_to NUMERIC(24, 4) NOT NULL,
  previous_reorder_point NUMERIC(24, 4),
  demand_class VARCHAR(16) NOT NULL,
  abc VARCHAR(1) NOT NULL,
  xyz VARCHAR(1) NOT NULL,
  order_on DATE,
  needed_on DATE,
  stockout_on DATE,
  recipe JSONB NOT NULL,
  CONSTRAINT pk_replenishment_plan_line PRIMARY KEY (organization_id, plan_id, item_id, warehouse_id),
  CONSTRAINT fk_replenishment_plan_line_organization_id_plan_id FOREIGN KEY(organization_id, plan_id) REFERENCES replenishment_plan (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT ck_replenishment_plan_line_outcome CHECK (outcome in ('suggested', 'above_reorder_point', 'no_demand', 'accepted_waiting', 'paused', 'item_not_active')),
  CONSTRAINT ck_replenishment_plan_line_class CHECK (abc in ('A', 'B', 'C') and xyz in ('X', 'Y', 'Z')),
  CONSTRAINT ck_replenishment_plan_line_quantity CHECK (quantity >= 0 and value >= 0)
);
CREATE INDEX ix_replenishment_plan_line_item ON replenishment_plan_line (organization_id, item_id, warehouse_id, plan_id);

-- Days on which a supplier neither works nor ships, first and last day included; periods may
-- overlap.
CREATE TABLE supplier_shutdown (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  supplier_id UUID NOT NULL,
  starts_on DATE NOT NULL,
  ends_on DATE NOT NULL,
  reason VARCHAR(200) DEFAULT '' NOT NULL,
  CONSTRAINT pk_supplier_shutdown PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_supplier_shutdown_organization_id_supplier_id FOREIGN KEY(organization_id, supplier_id) REFERENCES supplier (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT ck_supplier_shutdown_order CHECK (ends_on >= starts_on)
);
CREATE INDEX ix_supplier_shutdown_supplier_id ON supplier_shutdown (organization_id, supplier_id, starts_on);

-- One business day of one item-location. Derived: `demand.service.rebuild` makes it again.
CREATE TABLE demand_day (
  organization_id UUID NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  day DATE NOT NULL,
  issued NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  returned NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  shortage NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  CONSTRAINT pk_demand_day PRIMARY KEY (organization_id, item_id, warehouse_id, day),
  CONSTRAINT fk_demand_day_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_demand_day_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT ck_demand_day_shortage CHECK (shortage >= 0)
);

-- Since when an item-location is known: days before say nothing about its demand.
CREATE TABLE demand_series (
  organization_id UUID NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  first_on DATE NOT NULL,
  CONSTRAINT pk_demand_series PRIMARY KEY (organization_id, item_id, warehouse_id),
  CONSTRAINT fk_demand_series_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_demand_series_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id)
);
CREATE INDEX ix_demand_series_warehouse_id ON demand_series (organization_id, warehouse_id);

-- A quantity that will arrive: an open schedule line of an order, later a transfer or a production
-- order. Written by the room that knows, through `stock.service.expect`.
CREATE TABLE inbound_supply (
  organization_id UUID NOT NULL,
  source_type VARCHAR(32) NOT NULL,
  source_line_id UUID NOT NULL,
  source_id UUID NOT NULL,
  source_number VARCHAR(32) NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  due_on DATE NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  is_confirmed BOOLEAN DEFAULT false NOT NULL,
  CONSTRAINT pk_inbound_supply PRIMARY KEY (organization_id, source_type, source_line_id),
  CONSTRAINT fk_inbound_supply_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_inbound_supply_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT ck_inbound_supply_quantity CHECK (quantity > 0)
);
CREATE INDEX ix_inbound_supply_due_on ON inbound_supply (organization_id, warehouse_id, due_on);
CREATE INDEX ix_inbound_supply_item ON inbound_supply (organization_id, item_id, warehouse_id, due_on);
CREATE INDEX ix_inbound_supply_source ON inbound_supply (organization_id, source_type, source_id);

-- A GTIN, kept as 14 digits, of an item or of one of its packs.
CREATE TABLE item_barcode (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  item_id UUID NOT NULL,
  gtin VARCHAR(14) NOT NULL,
  unit VARCHAR(8) NOT NULL,
  CONSTRAINT pk_item_barcode PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_item_barcode_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT ck_item_barcode_gtin_14 CHECK (gtin ~ '^[0-9]{14}$')
);
CREATE INDEX ix_item_barcode_item_id ON item_barcode (organization_id, item_id);
CREATE UNIQUE INDEX uq_item_barcode_gtin ON item_barcode (organization_id, gtin);

-- The item's name in another system (`system` = sap, kingdee, shop ...).
CREATE TABLE item_external_reference (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  item_id UUID NOT NULL,
  system VARCHAR(32) NOT NULL,
  reference VARCHAR(64) NOT NULL,
  CONSTRAINT pk_item_external_reference PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_item_external_reference_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_item_external_reference_item_id ON item_external_reference (organization_id, item_id);
CREATE UNIQUE INDEX uq_item_external_reference_reference ON item_external_reference (organization_id, system, reference);

-- What an item is found by, derived from it by items.search. Read through find_items().
CREATE TABLE item_search (
  organization_id UUID NOT NULL,
  item_id UUID NOT NULL,
  grams TEXT[] NOT NULL,
  words TEXT NOT NULL,
  CONSTRAINT pk_item_search PRIMARY KEY (organization_id, item_id),
  CONSTRAINT fk_item_search_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_item_search_grams ON item_search USING gin (grams);

-- Another unit of an item, exactly: 1 unit = numerator / denominator base units.
CREATE TABLE item_unit (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  item_id UUID NOT NULL,
  unit VARCHAR(8) NOT NULL,
  numerator NUMERIC(18, 0) NOT NULL,
  denominator NUMERIC(18, 0) NOT NULL,
  CONSTRAINT pk_item_unit PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_item_unit_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT uq_item_unit_organization_id_item_id_unit UNIQUE (organization_id, item_id, unit),
  CONSTRAINT ck_item_unit_positive CHECK (numerator > 0 and denominator > 0)
);

-- How long one delivery took. Planning needs every observation, not only their mean, so they are
-- kept from the first receipt on; one goes only with the receipt it came from.
CREATE TABLE lead_time_observation (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  supplier_id UUID NOT NULL,
  item_id UUID NOT NULL,
  purchase_order_id UUID,
  purchase_order_line_id UUID,
  receipt_id UUID,
  ordered_on DATE NOT NULL,
  confirmed_on DATE,
  requested_on DATE,
  received_on DATE NOT NULL,
  days INTEGER NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  CONSTRAINT pk_lead_time_observation PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_lead_time_observation_organization_id_supplier_id FOREIGN KEY(organization_id, supplier_id) REFERENCES supplier (organization_id, id),
  CONSTRAINT fk_lead_time_observation_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT ck_lead_time_observation_days CHECK (days >= 0),
  CONSTRAINT ck_lead_time_observation_quantity CHECK (quantity > 0)
);
CREATE INDEX ix_lead_time_observation_newest ON lead_time_observation (organization_id, supplier_id, item_id, received_on desc, id desc);
CREATE INDEX ix_lead_time_observation_receipt_id ON lead_time_observation (organization_id, receipt_id) WHERE receipt_id is not null;

-- A batch of an item with its own code and expiry.
CREATE TABLE lot (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  item_id UUID NOT NULL,
  code VARCHAR(64) NOT NULL,
  expires_on DATE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_lot PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_lot_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id)
);
CREATE UNIQUE INDEX uq_lot_code ON lot (organization_id, item_id, lower(code));

-- One item to one warehouse. Changed only under the header's lock, so it has no version.
CREATE TABLE purchase_order_line (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  order_id UUID NOT NULL,
  line_no INTEGER NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  supplier_sku VARCHAR(64),
  unit VARCHAR(8) NOT NULL,
  unit_quantity NUMERIC(18, 4) NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  unit_price NUMERIC(18, 6) NOT NULL,
  price_per NUMERIC(18, 4) NOT NULL,
  price_unit VARCHAR(8) NOT NULL,
  price_base_quantity NUMERIC(18, 4) NOT NULL,
  over_delivery_percent NUMERIC(7, 4) NOT NULL,
  under_delivery_percent NUMERIC(7, 4) NOT NULL,
  is_unlimited_overdelivery BOOLEAN NOT NULL,
  received_quantity NUMERIC(18, 4) NOT NULL,
  is_final_delivery BOOLEAN NOT NULL,
  is_closed BOOLEAN NOT NULL,
  source_type VARCHAR(32),
  source_id UUID,
  CONSTRAINT pk_purchase_order_line PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_purchase_order_line_organization_id_order_id FOREIGN KEY(organization_id, order_id) REFERENCES purchase_order (organization_id, id),
  CONSTRAINT fk_purchase_order_line_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_purchase_order_line_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT uq_purchase_order_line_organization_id_order_id_line_no UNIQUE (organization_id, order_id, line_no),
  CONSTRAINT ck_purchase_order_line_line_no CHECK (line_no > 0),
  CONSTRAINT ck_purchase_order_line_source_type CHECK (source_type in ('suggestion', 'requisition', 'sales_order', 'production_order', 'contract', 'other')),
  CONSTRAINT ck_purchase_order_line_quantity CHECK (quantity > 0 and unit_quantity > 0),
  CONSTRAINT ck_purchase_order_line_unit_price CHECK (unit_price >= 0),
  CONSTRAINT ck_purchase_order_line_price_per CHECK (price_per > 0 and price_base_quantity > 0),
  CONSTRAINT ck_purchase_order_line_over_delivery_percent CHECK (over_delivery_percent between 0 and 100),
  CONSTRAINT ck_purchase_order_line_under_delivery_percent CHECK (under_delivery_percent between 0 and 100),
  CONSTRAINT ck_purchase_order_line_received_quantity CHECK (received_quantity >= 0),
  CONSTRAINT ck_purchase_order_line_tolerance CHECK (is_unlimited_overdelivery or received_quantity * 100 <= quantity * (100 + over_delivery_percent))
);
CREATE INDEX ix_purchase_order_line_item_id ON purchase_order_line (organization_id, item_id, warehouse_id);
CREATE INDEX ix_purchase_order_line_source ON purchase_order_line (organization_id, source_type, source_id);

-- What one change of an approved or issued order changed. Append-only by convention.
CREATE TABLE purchase_order_revision (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  order_id UUID NOT NULL,
  revision INTEGER NOT NULL,
  reason VARCHAR(200) NOT NULL,
  changes JSONB NOT NULL,
  principal_id UUID NOT NULL,
  principal_name VARCHAR NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_purchase_order_revision PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_purchase_order_revision_organization_id_order_id FOREIGN KEY(organization_id, order_id) REFERENCES purchase_order (organization_id, id),
  CONSTRAINT uq_purchase_order_revision_organization_id_order_id_revision UNIQUE (organization_id, order_id, revision),
  CONSTRAINT ck_purchase_order_revision_revision CHECK (revision > 1)
);

-- One arrival of goods, and the stock documents that brought it in and took it back.
CREATE TABLE receipt (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  number VARCHAR(32) NOT NULL,
  status VARCHAR(16) DEFAULT 'posted' NOT NULL,
  order_id UUID,
  supplier_id UUID,
  occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
  delivery_note VARCHAR(64),
  external_ref VARCHAR(64),
  note TEXT DEFAULT '' NOT NULL,
  line_count INTEGER NOT NULL,
  value NUMERIC(30, 4) NOT NULL,
  stock_document_id UUID NOT NULL,
  reversal_document_id UUID,
  reversed_at TIMESTAMP WITH TIME ZONE,
  reversal_reason VARCHAR(200),
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_receipt PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_receipt_organization_id_order_id FOREIGN KEY(organization_id, order_id) REFERENCES purchase_order (organization_id, id),
  CONSTRAINT fk_receipt_organization_id_supplier_id FOREIGN KEY(organization_id, supplier_id) REFERENCES supplier (organization_id, id),
  CONSTRAINT fk_receipt_organization_id_stock_document_id FOREIGN KEY(organization_id, stock_document_id) REFERENCES stock_document (organization_id, id),
  CONSTRAINT fk_receipt_organization_id_reversal_document_id FOREIGN KEY(organization_id, reversal_document_id) REFERENCES stock_document (organization_id, id),
  CONSTRAINT ck_receipt_status CHECK (status in ('posted', 'reversed')),
  CONSTRAINT ck_receipt_reversed_by CHECK ((status = 'reversed') = (reversal_document_id is not null) and (status = 'reversed') = (reversed_at is not null))
);
CREATE INDEX ix_receipt_order_id ON receipt (organization_id, order_id);
CREATE INDEX ix_receipt_supplier_id ON receipt (organization_id, supplier_id, id);
CREATE INDEX ix_receipt_updated_at ON receipt (organization_id, updated_at, id);
CREATE UNIQUE INDEX uq_receipt_external_ref ON receipt (organization_id, external_ref) WHERE external_ref is not null;
CREATE UNIQUE INDEX uq_receipt_number ON receipt (organization_id, lower(number));

-- How to replenish within one scope from one day on. A null field is inherited from the next wider
-- scope: item in a warehouse, item, category and its parents, warehouse, organization.
CREATE TABLE replenishment_policy (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  scope VARCHAR(16) NOT NULL,
  item_id UUID,
  warehouse_id UUID,
  category_id UUID,
  effective_from DATE NOT NULL,
  method VARCHAR(16),
  service_rule VARCHAR(16),
  service_level NUMERIC(9, 6),
  review_days INTEGER,
  lead_time_days INTEGER,
  holding_rate NUMERIC(9, 6),
  order_cost NUMERIC(18, 6),
  minimum_stock NUMERIC(18, 4),
  maximum_stock NUMERIC(18, 4),
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_replenishment_policy PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_replenishment_policy_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_replenishment_policy_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT fk_replenishment_policy_organization_id_category_id FOREIGN KEY(organization_id, category_id) REFERENCES category (organization_id, id),
  CONSTRAINT ck_replenishment_policy_scope CHECK ((scope in ('item', 'item_warehouse')) = (item_id is not null) and (scope in ('warehouse', 'item_warehouse')) = (warehouse_id is not null) and (scope = 'category') = (category_id is not null) and scope in ('organization', 'warehouse', 'category', 'item', 'item_warehouse')),
  CONSTRAINT ck_replenishment_policy_method CHECK (method in ('rop_eoq', 'order_up_to', 'min_max')),
  CONSTRAINT ck_replenishment_policy_service_rule CHECK (service_rule in ('cycle_service', 'fill_rate')),
  CONSTRAINT ck_replenishment_policy_service_level CHECK (service_level > 0 and service_level < 1),
  CONSTRAINT ck_replenishment_policy_review_days CHECK (review_days between 1 and 365),
  CONSTRAINT ck_replenishment_policy_lead_time_days CHECK (lead_time_days between 0 and 730),
  CONSTRAINT ck_replenishment_policy_holding_rate CHECK (holding_rate >= 0),
  CONSTRAINT ck_replenishment_policy_order_cost CHECK (order_cost >= 0),
  CONSTRAINT ck_replenishment_policy_minimum_stock CHECK (minimum_stock >= 0),
  CONSTRAINT ck_replenishment_policy_maximum_stock CHECK (maximum_stock >= coalesce(minimum_stock, 0))
);
CREATE UNIQUE INDEX uq_replenishment_policy_scope ON replenishment_policy (organization_id, scope, item_id, warehouse_id, category_id, effective_from) NULLS NOT DISTINCT;

-- An order the plan advises. One item-location has at most one that is open or accepted.
CREATE TABLE replenishment_suggestion (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  supplier_id UUID,
  plan_id UUID NOT NULL,
  status VARCHAR(16) DEFAULT 'open' NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  adjusted_quantity NUMERIC(18, 4),
  unit_price NUMERIC(18, 6),
  currency VARCHAR(3),
  order_on DATE NOT NULL,
  needed_on DATE,
  stockout_on DATE,
  arrives_on DATE NOT NULL,
  recipe JSONB NOT NULL,
  reason VARCHAR(200) DEFAULT '' NOT NULL,
  paused_until DATE,
  decided_at TIMESTAMP WITH TIME ZONE,
  decided_by VARCHAR,
  purchase_order_id UUID,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_replenishment_suggestion PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_replenishment_suggestion_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_replenishment_suggestion_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT fk_replenishment_suggestion_organization_id_supplier_id FOREIGN KEY(organization_id, supplier_id) REFERENCES supplier (organization_id, id),
  CONSTRAINT fk_replenishment_suggestion_organization_id_plan_id FOREIGN KEY(organization_id, plan_id) REFERENCES replenishment_plan (organization_id, id),
  CONSTRAINT fk_replenishment_suggestion_organization_id_purchase_order_id FOREIGN KEY(organization_id, purchase_order_id) REFERENCES purchase_order (organization_id, id),
  CONSTRAINT ck_replenishment_suggestion_status CHECK (status in ('open', 'accepted', 'converted', 'dismissed', 'expired')),
  CONSTRAINT ck_replenishment_suggestion_quantity CHECK (quantity > 0),
  CONSTRAINT ck_replenishment_suggestion_adjusted_quantity CHECK (adjusted_quantity > 0),
  CONSTRAINT ck_replenishment_suggestion_converted_to CHECK ((status = 'converted') = (purchase_order_id is not null))
);
CREATE INDEX ix_replenishment_suggestion_page ON replenishment_suggestion (organization_id, order_on, id);
CREATE INDEX ix_replenishment_suggestion_paused ON replenishment_suggestion (organization_id, paused_until) WHERE status = 'dismissed';
CREATE INDEX ix_replenishment_suggestion_plan_id ON replenishment_suggestion (organization_id, plan_id);
CREATE UNIQUE INDEX uq_replenishment_suggestion_live ON replenishment_suggestion (organization_id, item_id, warehouse_id) WHERE status in ('open', 'accepted');

-- Demand somebody knows ahead for one day: a promotion, or what sales plan to sell.
CREATE TABLE sales_plan (
  organization_id UUID NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  day DATE NOT NULL,
  kind VARCHAR(16) NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  mode VARCHAR(8) NOT NULL,
  source VARCHAR(64) DEFAULT '' NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_sales_plan PRIMARY KEY (organization_id, item_id, warehouse_id, day, kind),
  CONSTRAINT fk_sales_plan_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_sales_plan_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT ck_sales_plan_kind CHECK (kind in ('promotion', 'sales_plan')),
  CONSTRAINT ck_sales_plan_mode CHECK (mode in ('add', 'replace', 'max')),
  CONSTRAINT ck_sales_plan_quantity CHECK (quantity >= 0 or mode = 'add')
);
CREATE INDEX ix_sales_plan_day ON sales_plan (organization_id, day, item_id, warehouse_id, kind);

-- A quantity that was asked for and not served. Append-only; the same (source, source_ref) of an
-- item-location is recorded once, however often it is reported.
CREATE TABLE shortage (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  occurred_on DATE NOT NULL,
  source VARCHAR(32) NOT NULL,
  source_ref VARCHAR(200) NOT NULL,
  reason VARCHAR(200) DEFAULT '' NOT NULL,
  reference VARCHAR(64),
  batch_id UUID NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_shortage PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_shortage_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_shortage_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT ck_shortage_quantity CHECK (quantity > 0)
);
CREATE INDEX ix_shortage_batch_id ON shortage (organization_id, batch_id);
CREATE INDEX ix_shortage_item_id ON shortage (organization_id, item_id, warehouse_id, occurred_on);
CREATE INDEX ix_shortage_occurred_at ON shortage (organization_id, occurred_at, id);
CREATE UNIQUE INDEX uq_shortage_source_ref ON shortage (organization_id, source, source_ref, item_id, warehouse_id);

-- What is in one place now, per lot and status; changed only with the movements it sums up.
CREATE TABLE stock_balance (
  organization_id UUID NOT NULL,
  item_id UUID NOT NULL,
  location_id UUID NOT NULL,
  lot_key UUID NOT NULL,
  status VARCHAR(16) NOT NULL,
  warehouse_id UUID NOT NULL,
  on_hand NUMERIC(24, 4) NOT NULL,
  is_negative_allowed BOOLEAN DEFAULT false NOT NULL,
  last_occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_stock_balance PRIMARY KEY (organization_id, item_id, location_id, lot_key, status),
  CONSTRAINT fk_stock_balance_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_stock_balance_organization_id_location_id FOREIGN KEY(organization_id, location_id) REFERENCES location (organization_id, id),
  CONSTRAINT fk_stock_balance_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT ck_stock_balance_not_negative CHECK (on_hand >= 0 or is_negative_allowed),
  CONSTRAINT ck_stock_balance_status CHECK (status in ('unrestricted', 'quality', 'blocked', 'returns'))
);
CREATE INDEX ix_stock_balance_location_id ON stock_balance (organization_id, location_id);

-- One item in one warehouse: quantity, value, and the levels planning set for it.
CREATE TABLE stock_position (
  organization_id UUID NOT NULL,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  on_hand NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  unrestricted NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  reserved NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  in_transit NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  value NUMERIC(30, 4) DEFAULT '0' NOT NULL,
  last_unit_cost NUMERIC(18, 6) DEFAULT '0' NOT NULL,
  last_occurred_at TIMESTAMP WITH TIME ZONE,
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
  daily_demand NUMERIC(24, 4),
  safety_stock NUMERIC(24, 4),
  reorder_point NUMERIC(24, 4),
  order_up_to NUMERIC(24, 4),
  planned_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_stock_position PRIMARY KEY (organization_id, item_id, warehouse_id),
  CONSTRAINT fk_stock_position_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_stock_position_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT ck_stock_position_reserved CHECK (reserved >= 0),
  CONSTRAINT ck_stock_position_in_transit CHECK (in_transit >= 0)
);
CREATE INDEX ix_stock_position_warehouse_id ON stock_position (organization_id, warehouse_id, item_id);

-- An item as one supplier sells it: the link that purchasing and planning work with.
CREATE TABLE supplier_item (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  supplier_id UUID NOT NULL,
  item_id UUID NOT NULL,
  supplier_sku VARCHAR(64),
  priority INTEGER DEFAULT '1' NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  lead_time_days INTEGER,
  minimum_quantity NUMERIC(18, 4) DEFAULT '0' NOT NULL,
  order_multiple NUMERIC(18, 4),
  maximum_quantity NUMERIC(18, 4),
  lead_time_count INTEGER DEFAULT '0' NOT NULL,
  lead_time_sum NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  lead_time_sum_squares NUMERIC(24, 4) DEFAULT '0' NOT NULL,
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_supplier_item PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_supplier_item_organization_id_supplier_id FOREIGN KEY(organization_id, supplier_id) REFERENCES supplier (organization_id, id),
  CONSTRAINT fk_supplier_item_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT uq_supplier_item_organization_id_supplier_id_item_id UNIQUE (organization_id, supplier_id, item_id),
  CONSTRAINT ck_supplier_item_priority CHECK (priority between 1 and 99),
  CONSTRAINT ck_supplier_item_lead_time_days CHECK (lead_time_days between 0 and 730),
  CONSTRAINT ck_supplier_item_minimum_quantity CHECK (minimum_quantity >= 0),
  CONSTRAINT ck_supplier_item_order_multiple CHECK (order_multiple > 0),
  CONSTRAINT ck_supplier_item_maximum_quantity CHECK (maximum_quantity >= minimum_quantity)
);
CREATE INDEX ix_supplier_item_item_id ON supplier_item (organization_id, item_id, priority);

-- One condition on one subject, from the day it was raised until it is resolved.
CREATE TABLE alert (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  number VARCHAR(32) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  severity VARCHAR(16) NOT NULL,
  status VARCHAR(16) DEFAULT 'open' NOT NULL,
  subject VARCHAR(80) NOT NULL,
  item_id UUID,
  warehouse_id UUID,
  order_id UUID,
  order_line_id UUID,
  supplier_id UUID,
  evidence JSONB NOT NULL,
  latest JSONB NOT NULL,
  actions JSONB NOT NULL,
  first_raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
  last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
  raised_count INTEGER DEFAULT '1' NOT NULL,
  assignee VARCHAR(200),
  acknowledged_at TIMESTAMP WITH TIME ZONE,
  acknowledged_by VARCHAR(200),
  snoozed_until TIMESTAMP WITH TIME ZONE,
  resolved_at TIMESTAMP WITH TIME ZONE,
  resolution VARCHAR(16),
  resolved_by VARCHAR(200),
  reason VARCHAR(200),
  version INTEGER DEFAULT '1' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_alert PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_alert_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_alert_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT fk_alert_organization_id_order_id FOREIGN KEY(organization_id, order_id) REFERENCES purchase_order (organization_id, id),
  CONSTRAINT fk_alert_organization_id_order_line_id FOREIGN KEY(organization_id, order_line_id) REFERENCES purchase_order_line (organization_id, id),
  CONSTRAINT fk_alert_organization_id_supplier_id FOREIGN KEY(organization_id, supplier_id) REFERENCES supplier (organization_id, id),
  CONSTRAINT ck_alert_kind CHECK (kind in ('stocked_out', 'potential_stockout', 'low_stock', 'overstock', 'negative_cover_trend', 'late_order', 'unconfirmed_order')),
  CONSTRAINT ck_alert_severity CHECK (severity in ('low', 'medium', 'high', 'critical')),
  CONSTRAINT ck_alert_status CHECK (status in ('open', 'acknowledged', 'snoozed', 'resolved')),
  CONSTRAINT ck_alert_raised_count CHECK (raised_count > 0),
  CONSTRAINT ck_alert_about CHECK ((kind in ('stocked_out', 'potential_stockout', 'low_stock', 'overstock', 'negative_cover_trend')) = (order_id is null) and (order_id is not null or (item_id is not null and warehouse_id is not null)) and (kind = 'late_order') = (order_line_id is not null)),
  CONSTRAINT ck_alert_snoozed CHECK ((status = 'snoozed') = (snoozed_until is not null)),
  CONSTRAINT ck_alert_resolved CHECK ((status = 'resolved') = (resolved_at is not null) and (status = 'resolved') = (resolution is not null) and (resolution is null or resolution in ('auto', 'manual')))
);
CREATE INDEX ix_alert_item_id ON alert (organization_id, item_id, warehouse_id);
CREATE INDEX ix_alert_order_id ON alert (organization_id, order_id);
CREATE INDEX ix_alert_page ON alert (organization_id, first_raised_at, id);
CREATE INDEX ix_alert_supplier_id ON alert (organization_id, supplier_id);
CREATE UNIQUE INDEX uq_alert_number ON alert (organization_id, lower(number));
CREATE UNIQUE INDEX uq_alert_subject ON alert (organization_id, kind, subject) WHERE status <> 'resolved';

-- A part of a line with a date of its own, and the supplier's answer to it.
CREATE TABLE purchase_order_schedule (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  line_id UUID NOT NULL,
  schedule_no INTEGER NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  need_by DATE NOT NULL,
  confirmation VARCHAR(16) NOT NULL,
  confirmed_quantity NUMERIC(18, 4),
  confirmed_on DATE,
  CONSTRAINT pk_purchase_order_schedule PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_purchase_order_schedule_organization_id_line_id FOREIGN KEY(organization_id, line_id) REFERENCES purchase_order_line (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT uq_purchase_order_schedule_organization_id_line_id_schedule_no UNIQUE (organization_id, line_id, schedule_no),
  CONSTRAINT ck_purchase_order_schedule_schedule_no CHECK (schedule_no > 0),
  CONSTRAINT ck_purchase_order_schedule_quantity CHECK (quantity > 0),
  CONSTRAINT ck_purchase_order_schedule_confirmation CHECK (confirmation in ('none', 'confirmed', 'changed', 'rejected')),
  CONSTRAINT ck_purchase_order_schedule_confirmed_quantity CHECK (confirmed_quantity >= 0),
  CONSTRAINT ck_purchase_order_schedule_confirmed_what CHECK ((confirmation in ('confirmed', 'changed')) = (confirmed_on is not null) and (confirmed_on is null) = (confirmed_quantity is null))
);

-- A quantity of one item that arrived at one location.
CREATE TABLE receipt_line (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  receipt_id UUID NOT NULL,
  line_no INTEGER NOT NULL,
  order_line_id UUID,
  item_id UUID NOT NULL,
  warehouse_id UUID NOT NULL,
  location_id UUID NOT NULL,
  lot_id UUID,
  unit VARCHAR(8) NOT NULL,
  unit_quantity NUMERIC(18, 4) NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  stock_status VARCHAR(16) NOT NULL,
  unit_cost NUMERIC(18, 6) NOT NULL,
  is_final_delivery BOOLEAN NOT NULL,
  CONSTRAINT pk_receipt_line PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_receipt_line_organization_id_receipt_id FOREIGN KEY(organization_id, receipt_id) REFERENCES receipt (organization_id, id),
  CONSTRAINT fk_receipt_line_organization_id_order_line_id FOREIGN KEY(organization_id, order_line_id) REFERENCES purchase_order_line (organization_id, id),
  CONSTRAINT fk_receipt_line_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_receipt_line_organization_id_warehouse_id FOREIGN KEY(organization_id, warehouse_id) REFERENCES warehouse (organization_id, id),
  CONSTRAINT fk_receipt_line_organization_id_location_id FOREIGN KEY(organization_id, location_id) REFERENCES location (organization_id, id),
  CONSTRAINT fk_receipt_line_organization_id_lot_id FOREIGN KEY(organization_id, lot_id) REFERENCES lot (organization_id, id),
  CONSTRAINT uq_receipt_line_organization_id_receipt_id_line_no UNIQUE (organization_id, receipt_id, line_no),
  CONSTRAINT ck_receipt_line_quantity CHECK (quantity > 0 and unit_quantity > 0),
  CONSTRAINT ck_receipt_line_stock_status CHECK (stock_status in ('unrestricted', 'quality')),
  CONSTRAINT ck_receipt_line_unit_cost CHECK (unit_cost >= 0)
);
CREATE INDEX ix_receipt_line_item_id ON receipt_line (organization_id, item_id);
CREATE INDEX ix_receipt_line_order_line_id ON receipt_line (organization_id, order_line_id);

-- A line of the ledger: quantity and value go from one place to another. Append-only.
CREATE TABLE stock_movement (
  organization_id UUID NOT NULL,
  document_id UUID NOT NULL,
  line_no INTEGER NOT NULL,
  item_id UUID NOT NULL,
  lot_id UUID,
  from_location_id UUID NOT NULL,
  to_location_id UUID NOT NULL,
  from_status VARCHAR(16) NOT NULL,
  to_status VARCHAR(16) NOT NULL,
  quantity NUMERIC(18, 4) NOT NULL,
  value NUMERIC(30, 4) NOT NULL,
  occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_stock_movement PRIMARY KEY (organization_id, document_id, line_no),
  CONSTRAINT fk_stock_movement_organization_id_document_id FOREIGN KEY(organization_id, document_id) REFERENCES stock_document (organization_id, id),
  CONSTRAINT fk_stock_movement_organization_id_item_id FOREIGN KEY(organization_id, item_id) REFERENCES item (organization_id, id),
  CONSTRAINT fk_stock_movement_organization_id_lot_id FOREIGN KEY(organization_id, lot_id) REFERENCES lot (organization_id, id),
  CONSTRAINT fk_stock_movement_organization_id_from_location_id FOREIGN KEY(organization_id, from_location_id) REFERENCES location (organization_id, id),
  CONSTRAINT fk_stock_movement_organization_id_to_location_id FOREIGN KEY(organization_id, to_location_id) REFERENCES location (organization_id, id),
  CONSTRAINT ck_stock_movement_quantity CHECK (quantity > 0 and quantity <= 1000000000),
  CONSTRAINT ck_stock_movement_value CHECK (value >= 0),
  CONSTRAINT ck_stock_movement_from_status CHECK (from_status in ('unrestricted', 'quality', 'blocked', 'returns')),
  CONSTRAINT ck_stock_movement_to_status CHECK (to_status in ('unrestricted', 'quality', 'blocked', 'returns')),
  CONSTRAINT ck_stock_movement_moves CHECK (from_location_id <> to_location_id or from_status <> to_status)
);
CREATE INDEX ix_stock_movement_in ON stock_movement (organization_id, item_id, to_location_id, occurred_at) INCLUDE (quantity, value, to_status, lot_id);
CREATE INDEX ix_stock_movement_out ON stock_movement (organization_id, item_id, from_location_id, occurred_at) INCLUDE (quantity, value, from_status, lot_id);
CREATE INDEX ix_stock_movement_time ON stock_movement (organization_id, occurred_at desc, document_id desc, line_no desc);

-- One step of a price list: from `minimum_quantity` up, while valid. Overlapping steps with the
-- same minimum quantity cannot exist (checked under the supplier item's lock).
CREATE TABLE supplier_price (
  organization_id UUID NOT NULL,
  id UUID NOT NULL,
  supplier_item_id UUID NOT NULL,
  minimum_quantity NUMERIC(18, 4) NOT NULL,
  unit_price NUMERIC(18, 6) NOT NULL,
  price_per NUMERIC(18, 4) DEFAULT '1' NOT NULL,
  currency VARCHAR(3) NOT NULL,
  valid_from DATE NOT NULL,
  valid_to DATE,
  CONSTRAINT pk_supplier_price PRIMARY KEY (organization_id, id),
  CONSTRAINT fk_supplier_price_organization_id_supplier_item_id FOREIGN KEY(organization_id, supplier_item_id) REFERENCES supplier_item (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT uq_supplier_price_organization_id_supplier_item_id_mini_b74a UNIQUE (organization_id, supplier_item_id, minimum_quantity, valid_from),
  CONSTRAINT ck_supplier_price_minimum_quantity CHECK (minimum_quantity >= 0),
  CONSTRAINT ck_supplier_price_price CHECK (unit_price >= 0 and price_per > 0),
  CONSTRAINT ck_supplier_price_validity CHECK (valid_to >= valid_from),
  CONSTRAINT ck_supplier_price_currency CHECK (currency ~ '^[A-Z]{3}$')
);
