"""Fewer bits a number: after training (``convert``) or during it (``qat``), and what it costs.

``errors`` says which layers lose most by it.
"""
