"""The demo: a year of a small wholesaler, lived through the services, then planned and served."""

from scm_api.demo.command import run as run
