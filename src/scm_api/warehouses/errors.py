"""Problems of warehouses."""

from scm_api.core.errors import Conflict, Text


class LocationInUse(Conflict):
    code = "location_in_use"
    title = Text("The location is in use", "库位正在使用")
    detail = Text(
        "{location} holds stock or is the warehouse's default; it cannot be closed.",
        "{location} 仍有库存或为默认库位,不能停用。",
    )
