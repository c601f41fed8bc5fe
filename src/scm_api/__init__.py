"""scm-api: inventory and procurement in one live flow."""
