"""One AI problem, from raw data to a served model."""
