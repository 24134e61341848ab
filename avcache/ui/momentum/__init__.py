"""What the page Momentum shows: what is cached, the ranking, one score, its prices. Pure, but for what is read."""
