"""What happens to a picture after the model, before it is marked: it is made large and crisp."""
