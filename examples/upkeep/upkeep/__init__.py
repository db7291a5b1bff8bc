"""What an application does again and again to keep itself in order.

database        the application's own SQLite file; the queue has another
logs            log/production.log
magic_links     links to log in with, which expire
heartbeats      rows that say when the scheduling was last seen at work
backups         copies of the queue's file, and whether they are good
jobs            the jobs that config/recurring.yml names
"""
