"""Samples to parameters: where a fit looks, what it minimises, and how it steps."""
