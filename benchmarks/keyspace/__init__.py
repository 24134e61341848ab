"""What looking at a large store, sweeping it and clearing in it cost: `make bench-keyspace`."""
