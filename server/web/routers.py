"""The routers of all pages, in the order in which they are asked."""

from server.web import api, asset_api, session_pages
from server.web.mine import account
from server.web.public import boards, challenges, differences, home, questions

PAGES = (
    asset_api.router,
    session_pages.router,
    account.router,
    home.router,
    boards.router,
    differences.router,
    challenges.router,
    questions.router,
    api.router,
)
