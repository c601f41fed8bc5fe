"""`python -m scm_api`: the same as the `scm-api` command."""

from scm_api.cli import main

main()
