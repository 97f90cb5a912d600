"""Recipes: solutions that many programs need, each in one short file."""
