"""
`python -m avcache`: look at the cache, score, clear, warm up and measure from a shell.

    app       the commands by name, and what their errors end with
    exits     exit codes, and the errors that only a shell has
    output    tables, notes and JSON; nothing that is printed is taken for markup or an escape sequence
    place     which cache a command is about, and what may be done with it
    here      a cache on a server, through the operations of this process
    remote    the cache of a running console, over REST
    look      info, keys, stats
    act       clear, warmup
    market    score, portfolio, coverage
    bench     cold against cached, on this machine
    demo      a team of analysts at work
    traffic   what such a team reads, and when (pure)
"""

from __future__ import annotations

__all__: list[str] = []
