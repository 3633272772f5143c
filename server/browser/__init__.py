"""What a browser shows to be recognised: signed cookies, and the tokens of forms."""
