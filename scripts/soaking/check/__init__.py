"""Judges a soak by its journal: what was said there is all that is known here. Each rule is a function that takes a
`History` and gives sentences, one for each fault; docs/soak.md has the rules in words.
"""
