"""Operators as whole models: TFLM's interpreter, our numpy reference and our C must agree."""
