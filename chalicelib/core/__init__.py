"""Everything that is decided here is decided purely: standard library and pydantic only."""
