"""The commands: one verb a file, with its options, its call and what it prints."""
