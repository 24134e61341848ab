"""What the cache did: who reads what, and the log of accesses."""
