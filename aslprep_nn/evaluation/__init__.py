"""How far the estimators are from the truth, from their bound and from each other."""
