"""From a question to a checked answer: follow-ups, the two answerers, grounding, abstention."""
