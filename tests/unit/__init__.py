"""Single modules, one at a time, without a database unless they are about one."""
