"""Whether a command is bash, by its grammar alone: nothing is run, and no program is asked."""
