"""The starter image model: a miniature of a modern latent diffusion model, its data, its training and its folder."""
