"""The routers of all pages, in the order in which they are asked."""

from server.web import api, asset_api, session_pages
from server.web.mine import account
from server.web.organize import home, records, rules, submissions, talk, teams

PAGES = (
    asset_api.router,
    session_pages.router,
    account.router,
    home.router,
    submissions.router,
    teams.router,
    rules.router,
    talk.router,
    records.router,
    api.router,
)
