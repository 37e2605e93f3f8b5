"""How models learn: parts that the training of the house adapter and the learning from ratings share."""
