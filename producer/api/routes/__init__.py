"""The routes, one module for each noun; `producer.api.app` puts them together."""
