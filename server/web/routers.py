"""The routers of all pages, in the order in which they are asked."""

from server.web import api, asset_api, session_pages
from server.web.mine import account
from server.web.organize import case_pages, dataset_pages, reevaluation_pages

PAGES = (
    asset_api.router,
    session_pages.router,
    account.router,
    dataset_pages.router,
    case_pages.router,
    reevaluation_pages.router,
    api.router,
)
