"""What to mix: recipes, and the small data of the demo."""
