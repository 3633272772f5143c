"""The participant's side: the `proctor` command and a small Python client (`client.api.Client`)."""
