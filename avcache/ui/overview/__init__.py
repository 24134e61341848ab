"""What the page Overview shows: one look at everything, the figures that follow from it, its tables. Pure."""
