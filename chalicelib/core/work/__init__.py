"""The work queue's nouns and decisions: what a work is, which one is next, what may become of it.

Everything here is pure. ``chalicelib/works`` performs it over the two stores.
"""
