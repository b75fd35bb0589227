"""Expressions and statements: text in, a syntax tree with places out."""
