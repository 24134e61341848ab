"""The console under load: many browsers on one process, beside REST, with many keys."""
