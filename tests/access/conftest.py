"""The example world, where tests call every operation."""

from tests.contract.conftest import copy_world, session_admin, template, world

__all__ = ["copy_world", "session_admin", "template", "world"]
