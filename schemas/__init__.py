"""JSON Schemas as package data: the AJ tools, the row, the recipe, the manifest, the gates."""
