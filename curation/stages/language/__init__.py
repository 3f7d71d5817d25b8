"""Which language a row is in, decided as cheaply as can be trusted."""
