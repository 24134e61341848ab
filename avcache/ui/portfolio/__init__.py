"""What the page Portfolio shows: what is held, its analysis, its categories, its risk. Pure."""
