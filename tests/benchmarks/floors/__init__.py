"""The floors: the tightest Trio code that does the job of a server, with none of its promises.

Nothing here reports a crash, answers callers of a dead server or can be looked into. A slow floor
is a defect: whoever finds a faster way to do the same job puts it here.
"""
