"""What a dataset directory holds: shards, ledger, samples, manifest, gates."""
