"""What runs on threads: the machinery behind processor and view.

The threads of a processor, and what passes between them:

                   records             records                batches
    client's IO  ----------->  loop  ----------->  worker  ------------->  flusher  --> Kafka
         |         poll()       |      inbox        one for     submit()    |   ^
         |                      |      of each      each        queue       |   |
         |                      |                   partition               |   |
         |                      |                      ^      answers       |   |
         |                      |                      +--------------------+   |
         |                      |                         of each worker    |   |
         |   assigned, revoked, |                                           |   |
         +-> lost: Handover     |  <----------------------------------------+   |
                                |     safe(): offsets in Handover.commits       |
                                +-> commits them                      futures --+

1. The loop (`membership`) polls the client and puts the records of each partition into the inbox
   of its worker. It pauses a partition whose inbox is full.
2. A worker drives the task of its partition (`clicklib.task`: the rules, without a thread). It
   submits a batch: the rows that changed, and the input offsets that they stand for.
3. The flusher sends the rows of all batches that wait, and waits for Kafka's answers.
4. When Kafka has a batch, the flusher does two things. It tells `handover` that the offsets are
   safe, and it puts the table's new position into the worker's `answers`. The worker then writes
   the rows into its store: a store never knows more than Kafka.
5. The loop commits what is safe. Under exactly-once the flusher has done so with the rows.

The client calls `assigned`, `revoked` and `lost` on its own thread, and only while the loop waits
in `poll`. A lock in `handover` keeps a batch from becoming safe while its partition goes.

A view has one thread: `replica` reads the table's topic with a `follower`, as a processor does
while it recovers.

`service` is the side that a user sees, `lifecycle` the side of the threads, `state` what they may
be in, `commits` the rule of what may be committed.
"""
