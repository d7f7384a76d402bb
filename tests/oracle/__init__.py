"""A slow, clear second implementation of docs/semantics.md.

The C programs are compared with it. It shares no code with them: every module is
written from the text, prefers the obvious way over the fast one, and keeps whole
archives and tables in memory.

    archive   bytes of one archive: gzip members, truncation, corruption
    jsontext  strict JSON, told where a text first breaks
    records   bytes -> numbered records
    events    record -> bodies -> status events
    fold      events -> evidence by (instance, message id), states lines
    matching  evidence x tables -> which row each piece of evidence speaks for
    decide    row x evidence x policy -> final row, cause, counters
    database  a whole run over tables given as lists of dicts
"""
