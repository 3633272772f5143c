"""The routers of all pages, in the order in which they are asked."""

from server.web import api, asset_api, scripts_api, session_pages
from server.web.admin import overview as installation
from server.web.admin import people, work
from server.web.admin import records as installation_records
from server.web.mine import account, notices, submit, team
from server.web.mine import submissions as own_submissions
from server.web.organize import (
    case_pages,
    dataset_pages,
    records,
    reevaluation_pages,
    rules,
    submissions,
    talk,
    teams,
)
from server.web.organize import home as control_room
from server.web.public import boards, challenges, differences, home, questions
from server.web.results import api as results

_FILES = (asset_api, scripts_api)
_PUBLIC = (home, boards, differences, results, challenges, questions)
_MINE = (session_pages, account, notices, own_submissions, submit, team)
_CASES = (dataset_pages, case_pages, reevaluation_pages)
_ORGANIZE = (control_room, submissions, teams, rules, talk, records, *_CASES)
_ADMIN = (installation, work, people, installation_records)

PAGES = tuple(part.router for part in (*_FILES, *_PUBLIC, *_MINE, *_ORGANIZE, *_ADMIN, api))
