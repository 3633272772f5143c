"""Publishing agreements, and who of the teams has accepted them: it stands on agreements and on teams."""
