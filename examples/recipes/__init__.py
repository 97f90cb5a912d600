"""Recipes: what programs need again and again, each in one short file."""
