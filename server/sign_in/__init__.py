"""Log-ins through a provider of OpenID Connect or OAuth 2.0, and which identities there are whose.

fetching    what is asked of a provider over HTTP, within bounds
relying     the protocol: where a browser is sent, and who somebody is according to the provider
models      log-ins that are under way
service     log-ins from their beginning to a session; linking
identities  what is linked to one's account
api         for commands, which begin a log-in and wait for it
leaving     what every browser has on its way to a provider and back
here        log-ins that a browser begins itself, on the pages of this server
browser     for the person's browser, on its way to the provider and back
"""
