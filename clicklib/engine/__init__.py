"""What runs on threads: the machinery behind processor and view.

The threads of a processor, and what passes between them:

    client's IO ---- assigned, revoked, lost ----> membership, handover
        |
      poll()
        v
       loop ---- inbox ----> worker ---- submit() ----> flusher ---- send() ----> Kafka
        ^                    one for                      |  ^                      |
        |                    each partition               |  +------ answers -------+
        |                      ^                          |
        |                      +--- answers: position ----+
        +------ Handover.commits: offsets that are safe --+

0. `handover` holds each assigned partition: a `follower` recovers it from the table's topic into
   its local store, and only then its worker begins.
1. The loop (`membership`) polls the client and puts the records of each partition into the inbox
   of its worker. It pauses a partition whose inbox is full.
2. A worker drives the task of its partition (`clicklib.task`: the rules, without a thread). It
   submits a batch: the rows that changed, and the input offsets that may be committed once Kafka
   has these rows.
3. The flusher sends the rows of all batches that wait, and waits for Kafka's answers.
4. When Kafka has a batch, the flusher calls `Membership.note_safe`. That hands the offsets to
   `Handover.commits`, and puts the table's new position into the worker's `answers`. The worker
   then writes the rows into its store. So a store never has a row that Kafka lacks.
5. The loop commits the safe offsets (`commits`). Four commits are made elsewhere: of revoked
   partitions, by the client's thread (`Handover.revoked`); at the end of a processor
   (`Membership._leave`); of a start at the newest message (`GroupReader.go_on`); and under
   exactly-once by the flusher, in one transaction with the rows.

kafka-python calls `assigned`, `revoked` and `lost` on its own thread, and only while the loop waits
in `GroupReader.poll` or `close`. A lock in `Handover` makes sure that no batch of a partition
becomes safe after the partition was dropped.

A view has one thread of its own: `replica` reads the table's topic with a `follower`, into local
stores. The table's topic is all that joins a processor and a view.

The other modules: `clients` connects the two clients of a membership side by side; `service` has
the methods for users, `lifecycle` those for the threads, `state` the states and the permitted
changes, `commits` the rules of which offsets are committed and when, `settings` what a processor
was given. `at_exit` closes what is open when the program ends.
"""
