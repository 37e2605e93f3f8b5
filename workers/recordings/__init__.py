"""What happens to a recording after the model: it is encoded, and every file says where it comes from."""
