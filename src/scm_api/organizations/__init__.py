"""Organizations and groups of them: settings, calendar, numbers, fiscal periods, sandboxes."""
