"""The cache itself: what a key, an entry and a value are, and the policy that ties them together."""
