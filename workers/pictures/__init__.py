"""What happens to a picture after the model: it is enlarged, encoded, and marked with where it comes from."""
