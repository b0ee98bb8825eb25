"""Only this package imports kafka-python. It also has what users ask of a cluster.

kafka-python's defects end in this package: its modules mend them, and speak in plain values.

- `connect`, `security`, `transport`: how a client gets to its broker
- `topic_reader`, `group_reader`, `writer`, `admin`: the four clients; `assignor`, `batches` and
  `offsets` beside them
- `outgoing`, `answers`: batches of records on their way, and what becomes of each record;
  `deliveries`: an emitter's messages in numbers; `claims`: who may write to a partition
- `cluster`, `topics`, `groups`, `logs`: what users call; `layout`: the brokers and their copies
- `faults`: kafka-python's errors become clicklib's; `retry`: a question that is asked again;
  `limit`: one deadline for all questions of a call; `bar`: the progress of a long one
- `closing`: the end of a client; `process`: whether this is a forked child; `unchanged`: whether
  topics have changed

Where it uses names of kafka-python that are not public, `tests/unit/client/private_names.py` lists
them.
"""
