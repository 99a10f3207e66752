"""One module an engine: where a side's rows come from when they have to be read here."""
