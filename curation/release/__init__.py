"""From a dataset to a frozen recipe: approve, sign, freeze, verify, version."""
