"""Serves one application for a benchmark: `python -m bench.serve module:factory port`."""

import importlib
import sys

from scm_api.app import create_app
from scm_api.core.observability import log_config
from scm_api.core.server import run
from scm_api.process import Urls, make_runtime
from scm_api.settings import settings


def api() -> object:
    """scm-api itself over SCM_DATABASE_URL."""
    url = settings().database_url
    assert url is not None
    return create_app(make_runtime(settings(), Urls(url, None)))


if __name__ == "__main__":
    module, factory = sys.argv[1].split(":")
    application = getattr(importlib.import_module(module), factory)()
    run(application, "127.0.0.1", int(sys.argv[2]), log_config=log_config("json", "warning"))
