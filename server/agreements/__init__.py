"""Documents of a challenge that people accept: their versions, and who has to have accepted what."""
