"""The routers of all pages, in the order in which they are asked."""

from server.web import api, asset_api, session_pages
from server.web.mine import account, notices, submissions, submit, team

PAGES = (
    asset_api.router,
    session_pages.router,
    account.router,
    notices.router,
    submissions.router,
    submit.router,
    team.router,
    api.router,
)
