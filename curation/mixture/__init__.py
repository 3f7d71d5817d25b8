"""Clusters, quotas, shortage, choice."""
