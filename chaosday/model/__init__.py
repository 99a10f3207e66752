"""The nouns: frozen values and the verbs they have. Imports no family and no Prefect."""
