"""A notice board: webhooks are told of a notice at once, members by one mail a while later.

database        one SQLite file, transactions, records
accounts        whose board it is, and for whom the code that runs now acts
notices         notices and their tags
webhooks        addresses that are told, and what became of it
bundles         what a member has not been told yet
jobs            what happens in the background: the only module that declares jobs
board           what people do; enqueues the jobs
"""
