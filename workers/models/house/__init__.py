"""The house adapter: what makes a copywriter of the starter language model, with its lines and its recipe."""
