"""The routers of all pages, in the order in which they are asked."""

from server.web import api, asset_api, scripts_api, session_pages
from server.web.admin import overview, people, records, work
from server.web.mine import account
from server.web.public import boards, challenges, home, questions
from server.web.results import api as results

PAGES = (
    asset_api.router,
    scripts_api.router,
    session_pages.router,
    account.router,
    overview.router,
    work.router,
    people.router,
    records.router,
    home.router,
    boards.router,
    results.router,
    challenges.router,
    questions.router,
    api.router,
)
