"""From a frozen recipe to an adapter, a merged model and a GGUF."""
