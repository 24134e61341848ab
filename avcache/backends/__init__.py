"""Where the bytes live: one small Protocol (`base`), and one module per store."""
