"""Plans: what the stages of a run are, one builder per kind."""
