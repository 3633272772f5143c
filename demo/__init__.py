"""Everything behind `make demo`: synthetic hidden data, team containers and the script that shows them."""
