"""`python -m avcache`."""

from __future__ import annotations

from avcache.cli.app import main

main()
