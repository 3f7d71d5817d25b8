"""One stage a file; a stage is a pure function of Polars frames."""
