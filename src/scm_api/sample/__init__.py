"""The sample company for the demo: real daily sales and spread of lead times, shipped inside."""

from scm_api.sample.company import (
    SampleCompany,
    SampleItem,
    SamplePriceBreak,
    SampleShutdown,
    SampleSupplier,
    SampleSupplierItem,
    SampleWarehouse,
    arrival_day,
    load,
    realised_lead_time_days,
)

__all__ = [
    "SampleCompany",
    "SampleItem",
    "SamplePriceBreak",
    "SampleShutdown",
    "SampleSupplier",
    "SampleSupplierItem",
    "SampleWarehouse",
    "arrival_day",
    "load",
    "realised_lead_time_days",
]
