"""Does a passage answer a question, where, and does evidence support a claim: the judge, from its weights to its verdicts."""
