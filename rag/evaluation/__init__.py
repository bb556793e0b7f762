"""How good retrieval and answers are, on sets of questions whose answers are known."""
