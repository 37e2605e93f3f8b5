"""How the factory is run: embedded servers, supervision, doctor."""
