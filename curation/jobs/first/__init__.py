"""`aj init`: a look at a folder, and a first recipe for it."""
