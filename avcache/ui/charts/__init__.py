"""Figures: each a pure function of a view model."""
