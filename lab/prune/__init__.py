"""Pruning: what matters least is taken out of a model, and the rest is trained again."""
