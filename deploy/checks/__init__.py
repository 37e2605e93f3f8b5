"""What the doctor looks at, by what it touches: this machine, the servers, the workers."""
